//! From text to YAML events, with PyYAML's idea of what a text may contain.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use crate::compose::Composer;
use crate::document::Document;
use crate::error::ConfigError;
use crate::layout::Layout;
use crate::position::Location;
use crate::template::Rendered;

/// Reads the one document of a rendered text.
pub(crate) fn read(rendered: &Rendered, file: &str) -> Result<Document, ConfigError> {
    let reader = Reader { rendered, file };
    reader.check_characters()?;
    let mut layout = Layout::new(&rendered.text);
    loop {
        match reader.attempt(&layout) {
            Ok(document) => return Ok(document),
            Err(Stop::Invalid(error)) => return Err(error),
            Err(Stop::Unreadable(error)) => {
                if !layout.relax(&error) {
                    return Err(reader.syntax(&error, &layout));
                }
            }
        }
    }
}

enum Stop {
    /// The parser could not go on.
    Unreadable(ScanError),
    /// The events make no configuration.
    Invalid(ConfigError),
}

struct Reader<'a> {
    rendered: &'a Rendered,
    file: &'a str,
}

impl Reader<'_> {
    fn attempt(&self, layout: &Layout) -> Result<Document, Stop> {
        let mut composer = Composer::new(self.rendered, self.file, layout);
        let mut anchors = Anchors { text: layout.text(), chars: Vec::new(), end: 0 };
        for event in Parser::new_from_str(layout.text()) {
            let (mut event, span) = event.map_err(|error| {
                self.unclosed(&error, &composer, layout).unwrap_or(Stop::Unreadable(error))
            })?;
            anchors.check(&event, span).map_err(Stop::Unreadable)?;
            if let Event::Scalar(text, style, ..) = &mut event
                && has_added_break(layout.text(), text, *style, span)
            {
                text.to_mut().pop();
            }
            composer.event(event, span).map_err(Stop::Invalid)?;
        }
        Ok(composer.finish())
    }

    /// A bracket that is open when the text ends: better said where it opened.
    fn unclosed(&self, error: &ScanError, composer: &Composer<'_>, layout: &Layout) -> Option<Stop> {
        let is_at_end = error.marker().index() >= layout.text().trim_end().chars().count();
        let position =
            composer.innermost().filter(|_| is_at_end && error.info().starts_with("while parsing a flow"))?;
        let location = Location { file: self.file.to_owned(), position };
        let message = "this bracket is never closed".to_owned();
        Some(Stop::Invalid(ConfigError::Syntax { location, message, hint: hint("bracket") }))
    }

    /// The characters that YAML 1.1 allows in a text.
    fn check_characters(&self) -> Result<(), ConfigError> {
        let (mut line, mut column) = (1, 0);
        for c in self.rendered.text.chars() {
            if !is_printable(c) {
                let position = self.rendered.map.position(line, column);
                let message = format!("the character U+{:04X} is not allowed", u32::from(c));
                let location = Location { file: self.file.to_owned(), position };
                return Err(ConfigError::Syntax {
                    location,
                    message,
                    hint: "write it as an escape in double quotes",
                });
            }
            (line, column) = if c == '\n' { (line + 1, 0) } else { (line, column + 1) };
        }
        Ok(())
    }

    fn syntax(&self, error: &ScanError, layout: &Layout) -> ConfigError {
        let marker = error.marker();
        let position = self.rendered.map.position(marker.line(), layout.column(marker));
        let message = self.rendered.holes.conceal(error.info());
        let hint = if self.rendered.holes.have_lines() { LINES_HINT } else { hint(&message) };
        ConfigError::Syntax { location: Location { file: self.file.to_owned(), position }, message, hint }
    }
}

const LINES_HINT: &str = "a template expression prints a value, never YAML lines: write those outside of `{{ }}`, \
     with `{% if %}` and `{% for %}`";

fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A block scalar that ends with the text has no line break to keep; the parser adds one.
fn has_added_break(source: &str, text: &str, style: ScalarStyle, span: Span) -> bool {
    const BREAKS: [char; 2] = ['\n', '\r'];
    let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
    if !is_block
        || !text.ends_with('\n')
        || source.ends_with(BREAKS)
        || span.end.index() < source.chars().count()
    {
        return false;
    }
    let last_line = source.rsplit(BREAKS).next().unwrap_or_default();
    !last_line.trim_start_matches(' ').is_empty() || text.ends_with("\n\n")
}

/// Anchors as YAML 1.1 names them. YAML 1.2 would take all of `&lt;b&gt;` for the name of one.
struct Anchors<'a> {
    text: &'a str,
    /// The characters of the text, once there is an anchor.
    chars: Vec<char>,
    /// Where the last event ended.
    end: usize,
}

impl Anchors<'_> {
    fn check(&mut self, event: &Event<'_>, span: Span) -> Result<(), ScanError> {
        let anchor = match event {
            Event::Scalar(_, _, anchor, _)
            | Event::SequenceStart(anchor, _)
            | Event::MappingStart(anchor, _) => *anchor,
            // It has the span of what comes next.
            Event::DocumentStart(_) => return Ok(()),
            _ => 0,
        };
        if anchor > 0 {
            if self.chars.is_empty() {
                self.chars = self.text.chars().collect();
            }
            let ahead = self.chars.get(self.end..).unwrap_or_default();
            if !anchor_name(ahead).iter().all(|&c| c.is_alphanumeric() || c == '-' || c == '_') {
                return Err(ScanError::new_str(
                    span.start,
                    "an anchor takes letters, digits, `-` and `_` only",
                ));
            }
        }
        self.end = self.end.max(span.end.index());
        Ok(())
    }
}

/// What follows the next `&` that stands in no comment.
fn anchor_name(ahead: &[char]) -> &[char] {
    let mut rest = ahead;
    while let Some((&c, after)) = rest.split_first() {
        match c {
            '&' => {
                let length =
                    after.iter().take_while(|&&c| !c.is_whitespace() && !"[]{},".contains(c)).count();
                return &after[..length];
            }
            '#' => rest = &after[after.iter().take_while(|&&c| !matches!(c, '\n' | '\r')).count()..],
            _ => rest = after,
        }
    }
    &[]
}

fn hint(message: &str) -> &'static str {
    if message.contains("recursion limit") {
        "nest less deeply"
    } else if message.contains("tab") {
        "indent with spaces"
    } else if message.contains("anchor") {
        "an alias `*name` needs an anchor `&name` before it; quote text that begins with `*` or `&`"
    } else if message.contains("mapping values") || message.contains("simple key") {
        "put `key: value` on its own line at one indentation, and quote values that contain `: `"
    } else if message.contains("flow")
        || message.contains("bracket")
        || message.contains(']')
        || message.contains('}')
    {
        "close every `[` and `{`, and put a comma between the items"
    } else if message.contains("comments") {
        "put a blank before `#`"
    } else if message.contains("quote") || message.contains("escape") {
        "close the quotes, and write `\\\\` for a backslash in double quotes"
    } else {
        "check the indentation, quotes and brackets up to here"
    }
}
