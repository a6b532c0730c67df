//! Words that say what a number is.

use std::sync::OnceLock;

use regex::Regex;

/// How far before a number its label may stand, in bytes.
const REACH: usize = 40;

/// Words before a number, or parts of the name of its field.
pub(super) struct Label {
    before: &'static str,
    name: &'static str,
    compiled: OnceLock<(Regex, Regex)>,
}

impl Label {
    /// Alternatives of words that stand before a number, and of parts of names.
    pub(super) const fn new(before: &'static str, name: &'static str) -> Self {
        Self { before, name, compiled: OnceLock::new() }
    }

    /// Compiles the words, so that no text has to wait for it.
    pub(super) fn compile(&self) -> &(Regex, Regex) {
        self.compiled.get_or_init(|| {
            let before = format!(r"(?i)(?:^|[^\pL])(?:{})s?\b\.?[^0-9\n.;!?]{{0,24}}$", self.before);
            let called = format!("(?i)(?:{})", self.name);
            (compiled(&before), compiled(&called))
        })
    }

    /// Whether such a word stands shortly before `start`, with no other number between, or the text is called so.
    pub(super) fn near(&self, text: &str, start: usize, name: Option<&str>) -> bool {
        let (before, called) = self.compile();
        before.is_match(tail(&text[..start], REACH)) || name.is_some_and(|name| called.is_match(name))
    }
}

/// The end of a text, of at most so many bytes.
pub(super) fn tail(text: &str, bytes: usize) -> &str {
    let from = text.len().saturating_sub(bytes);
    (from..=text.len()).find_map(|from| text.get(from..)).unwrap_or_default()
}

/// The beginning of a text, of at most so many bytes.
pub(super) fn head(text: &str, bytes: usize) -> &str {
    let to = text.len().min(bytes);
    (0..=to).rev().find_map(|to| text.get(..to)).unwrap_or_default()
}

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the words of labels are valid patterns")
}
