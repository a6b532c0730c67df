//! What an expression prints: Python's `str` of a value, or JSON for `tojson`.
//!
//! A list or mapping is printed as a flow collection whose leaves are leaves: its shape is the template's
//! doing, and no text inside can change it.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Object, ObjectRepr, ValueKind};

use crate::hole::{Holes, Typing};

/// The spelling of a printed value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Python,
    Json,
}

/// A value that `tojson` was applied to.
#[derive(Debug)]
pub(crate) struct Json(pub(crate) Value);

impl Object for Json {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&text_in(&self.0, Style::Json))
    }
}

/// Collects what is printed.
trait Sink {
    fn literal(&mut self, text: &str);
    fn leaf(&mut self, typing: Typing, whole: &str, part: &str);
}

/// The text of a value.
pub(crate) fn text(value: &Value) -> String {
    match value.downcast_object_ref::<Json>() {
        Some(Json(inner)) => text_in(inner, Style::Json),
        None => text_in(value, Style::Python),
    }
}

/// Does the value print as more than one leaf, or as a quoted one?
pub(crate) fn is_collection(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map)
        || value.downcast_object_ref::<Json>().is_some()
}

/// The text of a value with a hole for each leaf.
pub(crate) fn with_holes(value: &Value, holes: &mut Holes) -> String {
    let mut sink = HoleSink { out: String::new(), holes };
    match value.downcast_object_ref::<Json>() {
        Some(Json(inner)) => emit(&mut sink, inner, Style::Json, 0),
        None => print(&mut sink, value),
    }
    sink.out
}

fn text_in(value: &Value, style: Style) -> String {
    let mut sink = TextSink(String::new());
    match style {
        Style::Python => print(&mut sink, value),
        Style::Json => emit(&mut sink, value, style, 0),
    }
    sink.0
}

/// The outermost value: text prints without quotes, and an empty one prints nothing.
fn print(sink: &mut impl Sink, value: &Value) {
    match (value.kind(), value.as_str()) {
        (ValueKind::Undefined, _) | (_, Some("")) => {}
        (_, Some(text)) => sink.leaf(Typing::Plain, text, text),
        _ => emit(sink, value, Style::Python, 0),
    }
}

/// How deep a printed collection may be; what is deeper prints as an ellipsis.
const MAX_DEPTH: usize = 64;

fn emit(sink: &mut impl Sink, value: &Value, style: Style, depth: usize) {
    if depth > MAX_DEPTH {
        return sink.leaf(Typing::Text, "...", "...");
    }
    if let Some(text) = value.as_str() {
        return sink.leaf(Typing::Text, text, &quoted(text, style));
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => word(sink, style, "None", "null"),
        ValueKind::Bool if value.is_true() => word(sink, style, "True", "true"),
        ValueKind::Bool => word(sink, style, "False", "false"),
        ValueKind::Number if !value.is_integer() => {
            let text = float(value);
            sink.leaf(Typing::Plain, &text, &text);
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let (open, close) =
                if value.is_tuple() && style == Style::Python { ("(", ")") } else { ("[", "]") };
            sink.literal(open);
            for (index, item) in value.try_iter().into_iter().flatten().enumerate() {
                sink.literal(if index > 0 { ", " } else { "" });
                emit(sink, &item, style, depth + 1);
            }
            sink.literal(if close == ")" && value.len() == Some(1) { ",)" } else { close });
        }
        ValueKind::Map => {
            let mut keys: Vec<Value> = value.try_iter().into_iter().flatten().collect();
            if style == Style::Json {
                keys.sort();
            }
            sink.literal("{");
            for (index, key) in keys.iter().enumerate() {
                sink.literal(if index > 0 { ", " } else { "" });
                emit(sink, key, style, depth + 1);
                sink.literal(": ");
                emit(sink, &value.get_item(key).unwrap_or_default(), style, depth + 1);
            }
            sink.literal("}");
        }
        _ => {
            let text = value.to_string();
            sink.leaf(Typing::Plain, &text, &text);
        }
    }
}

/// Python's `repr`, which gives a positive exponent its sign.
fn float(value: &Value) -> String {
    let text =
        f64::try_from(value.clone()).map_or_else(|_| value.to_string(), |number| format!("{number:?}"));
    match text.split_once('e') {
        Some((mantissa, exponent)) if !exponent.starts_with('-') => format!("{mantissa}e+{exponent}"),
        _ => text,
    }
}

fn word(sink: &mut impl Sink, style: Style, python: &str, json: &str) {
    let word = if style == Style::Python { python } else { json };
    sink.leaf(Typing::Plain, word, word);
}

fn quoted(text: &str, style: Style) -> String {
    let quote =
        if style == Style::Python && (!text.contains('\'') || text.contains('"')) { '\'' } else { '"' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c == quote => out.extend(['\\', c]),
            // As Jinja's tojson: usable inside HTML and inside single quotes.
            '<' | '>' | '&' | '\'' if style == Style::Json => out.push_str(&format!("\\u{:04x}", c as u32)),
            _ if c.is_control() && style == Style::Python => out.push_str(&format!("\\x{:02x}", c as u32)),
            _ if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            _ => out.push(c),
        }
    }
    out.push(quote);
    out
}

struct TextSink(String);

impl Sink for TextSink {
    fn literal(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn leaf(&mut self, _typing: Typing, _whole: &str, part: &str) {
        self.0.push_str(part);
    }
}

struct HoleSink<'a> {
    out: String,
    holes: &'a mut Holes,
}

impl Sink for HoleSink<'_> {
    fn literal(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn leaf(&mut self, typing: Typing, whole: &str, part: &str) {
        self.out.push_str(&self.holes.dig(typing, whole, part));
    }
}
