//! Templates: Jinja text with one variable, `env`, rendered with nothing else in reach.
//!
//! There is no loader, so nothing can be included, and every render runs on a limited amount of fuel.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::{AutoEscape, Error, ErrorKind, OutputSpan, OutputSpanKind, Value, context};

use crate::emit::{self, Json};
use crate::error::ConfigError;
use crate::filters;
use crate::hole::{Fence, Holes, Typing};
use crate::methods;
use crate::position::{Location, Position};
use crate::source_map::{SourceMap, position_of};

/// The variables of a process, or of a test.
pub type Environment = BTreeMap<String, String>;

/// What becomes of `{{ … }}` and `{% … %}`.
#[derive(Clone, Copy)]
pub enum Templates<'a> {
    /// They are no templates: the text is YAML as it stands.
    Off,
    /// What an expression prints is a value: it fills a scalar, byte for byte, and never adds structure.
    Values(&'a Environment),
    /// As CPEX 0.1.4: what an expression prints is escaped for HTML and becomes YAML text.
    Textual(&'a Environment),
}

/// YAML text, the holes in it, and the way back to the source.
pub(crate) struct Rendered {
    pub(crate) text: String,
    pub(crate) holes: Holes,
    pub(crate) map: SourceMap,
    /// Values of the environment are in holes, not in the text: it may be shown.
    pub(crate) quotable: bool,
}

/// What one render may use up: an instruction costs one, so do 64 bytes. Thousands of plugins, no endless loop.
const FUEL: u64 = 500_000;

/// Renders the templates of a text.
pub(crate) fn render(text: &str, file: &str, templates: Templates<'_>) -> Result<Rendered, ConfigError> {
    match templates {
        Templates::Off => {
            let map = SourceMap::identity(text);
            Ok(Rendered { text: text.to_owned(), holes: Holes::new(None), map, quotable: true })
        }
        Templates::Textual(environment) => {
            let (output, spans) = print(text, environment, AutoEscape::Html, textual)
                .map_err(|error| located(&error, text, file, environment))?;
            Ok(assemble(text, &output, &spans, Holes::new(None), |_, printed| printed.to_owned()))
        }
        Templates::Values(environment) => {
            let texts = std::iter::once(text).chain(environment.values().map(String::as_str));
            let fence = Fence::absent_from(texts).ok_or_else(|| no_fence(file))?;
            let shelf = Arc::new(Shelf::new(fence));
            let formatter = Arc::clone(&shelf);
            let (output, spans) =
                print(text, environment, AutoEscape::None, move |value| formatter.print(value))
                    .map_err(|error| located(&error, text, file, environment))?;
            let holes = Holes::new(Some(fence));
            Ok(assemble(text, &output, &spans, holes, |holes, printed| shelf.dig(printed, holes)))
        }
    }
}

/// Runs the template. The spans say which output is template text and which is what an expression printed;
/// text that a block captured is in the latter, for it is a value by then.
fn print(
    text: &str,
    environment: &Environment,
    escape: AutoEscape,
    formatter: impl Fn(&Value) -> String + Send + Sync + 'static,
) -> Result<(String, Vec<OutputSpan>), Error> {
    let mut engine = minijinja::Environment::new();
    engine.set_fuel(Some(FUEL));
    // Without it errors carry no range; what else it adds is only in the debug display, which nobody prints.
    engine.set_debug(true);
    engine.set_auto_escape_callback(move |_| escape.clone());
    engine.set_unknown_method_callback(methods::call);
    filters::add_to(&mut engine);
    engine.remove_global("debug");
    engine.set_formatter(move |out, _state, value| Ok(out.write_str(&formatter(value))?));
    let env = Value::from_pairs(environment.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    engine.template_from_str(text)?.render_with_spans(context! { env })
}

/// Puts the output together again, with `expression` in place of what expressions printed.
fn assemble(
    source: &str,
    output: &str,
    spans: &[OutputSpan],
    mut holes: Holes,
    expression: impl Fn(&mut Holes, &str) -> String,
) -> Rendered {
    let mut text = String::with_capacity(output.len());
    let mut map = SourceMap::new();
    for span in spans {
        let printed = &output[span.output_range()];
        let start = span.source_range().start;
        let (run, start) = match span.kind() {
            OutputSpanKind::Raw => (printed.to_owned(), start),
            _ => (expression(&mut holes, printed), braces_before(source, start)),
        };
        map.append(&run, position_of(source, start));
        text.push_str(&run);
    }
    let quotable = holes.are_in_use();
    Rendered { text, holes, map, quotable }
}

/// An expression begins, for a reader, at its braces.
fn braces_before(source: &str, start: usize) -> usize {
    let before = source.get(..start).unwrap_or_default();
    match before.rfind("{{") {
        Some(braces) if before[braces + 2..].trim_start_matches(['-', '+']).trim().is_empty() => braces,
        _ => start,
    }
}

fn textual(value: &Value) -> String {
    let text = emit::text(value);
    if value.is_safe() || value.downcast_object_ref::<Json>().is_some() {
        text
    } else {
        filters::escape(&text)
    }
}

/// Collections that were printed, kept as values until it is known whether they stand for themselves.
struct Shelf {
    fence: Fence,
    collections: Mutex<Vec<Value>>,
}

impl Shelf {
    fn new(fence: Fence) -> Self {
        Self { fence, collections: Mutex::default() }
    }

    fn print(&self, value: &Value) -> String {
        if !emit::is_collection(value) {
            return emit::text(value);
        }
        let mut collections = self.collections.lock().unwrap_or_else(PoisonError::into_inner);
        collections.push(value.clone());
        self.fence.wrap(&(collections.len() - 1).to_string())
    }

    /// The holes for what one expression printed.
    fn dig(&self, printed: &str, holes: &mut Holes) -> String {
        let collections = self.collections.lock().unwrap_or_else(PoisonError::into_inner);
        let collection = |body: &str| body.parse::<usize>().ok().and_then(|index| collections.get(index));
        if let Some(value) = self.fence.only(printed).and_then(collection) {
            return emit::with_holes(value, holes);
        }
        let text = self.fence.replace(printed, |body| collection(body).map(emit::text));
        holes.dig(Typing::Plain, &text, &text)
    }
}

fn located(error: &Error, source: &str, file: &str, environment: &Environment) -> ConfigError {
    let position = match (error.range(), error.line()) {
        (Some(range), _) => position_of(source, range.start),
        (None, Some(line)) => Position { line, column: 1 },
        (None, None) => Position::START,
    };
    let mut message = error.kind().to_string();
    if let Some(detail) = error.detail() {
        message.push_str(": ");
        message.push_str(&match error.kind() {
            // These quote the template, never a value.
            ErrorKind::SyntaxError
            | ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction => detail.to_owned(),
            _ => redact(detail, environment),
        });
    }
    let location = Location { file: file.to_owned(), position };
    ConfigError::Template { location, message, hint: hint(error.kind()) }
}

/// An engine message may quote the value it stumbled over.
fn redact(message: &str, environment: &Environment) -> String {
    let mut secrets: Vec<&str> =
        environment.values().map(String::as_str).filter(|value| value.len() > 3).collect();
    secrets.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    secrets.into_iter().fold(message.to_owned(), |message, secret| message.replace(secret, "{{ … }}"))
}

fn hint(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UndefinedError => {
            "only `env` is defined: `{{ env.NAME }}`, `{{ env.get('NAME', 'default') }}`"
        }
        ErrorKind::UnknownFilter
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownFunction
        | ErrorKind::UnknownMethod => "use one of Jinja's own; templates cannot load anything",
        ErrorKind::OutOfFuel | ErrorKind::WriteFailure => "a configuration prints far less than this",
        ErrorKind::SyntaxError => {
            "write `{{ env.NAME }}`, or put literal braces into `{% raw %}…{% endraw %}`"
        }
        _ => "check the expression and the types of its operands",
    }
}

fn no_fence(file: &str) -> ConfigError {
    ConfigError::Template {
        location: Location { file: file.to_owned(), position: Position::START },
        message: "the text uses every private-use character".to_owned(),
        hint: "leave at least one of U+E000 to U+F8FF out",
    }
}
