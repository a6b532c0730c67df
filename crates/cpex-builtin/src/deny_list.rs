//! `deny_list`: words and phrases that may not pass.

use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};
use serde::Deserialize;

use crate::action::Action;
use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report};
use crate::inspect::Detector;
use crate::redact::{RedactConfig, Redactor};
use crate::text::Place;

/// The configuration of `deny_list`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DenyListConfig {
    /// The words and phrases.
    pub words: Vec<String>,
    /// Whether `Word` and `word` differ. Only the letters A to Z are compared without case.
    pub case_sensitive: bool,
    /// Whether a word must stand alone: `cat` is not found in `category`.
    pub whole_words: bool,
    /// What happens to a payload with such a word.
    pub action: Action,
    /// What takes the place of a word.
    pub redact: RedactConfig,
}

impl Default for DenyListConfig {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            case_sensitive: false,
            whole_words: true,
            action: Action::Deny,
            redact: RedactConfig::default(),
        }
    }
}

impl DenyListConfig {
    /// Denies these words, with the defaults for all else.
    pub fn deny<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        Self { words: words.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// Finds words of a list: one automaton, one pass, however long the list is.
pub struct DenyList {
    automaton: AhoCorasick,
    kind: Arc<str>,
    whole_words: bool,
    action: Action,
    redactor: Redactor,
}

impl DenyList {
    /// Compiles the list.
    ///
    /// # Errors
    /// The list is empty, has an empty word, or is too large.
    pub fn new(config: DenyListConfig) -> Result<Self, ConfigError> {
        if config.words.is_empty() {
            return Err(ConfigError::new("words", "empty: give at least one word"));
        }
        if let Some(index) = config.words.iter().position(|word| word.trim().is_empty()) {
            return Err(ConfigError::new(
                format!("words[{index}]"),
                "an empty word would be found everywhere",
            ));
        }
        // Standard semantics report overlapping words too; whether a word stands alone is known only afterwards.
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(!config.case_sensitive)
            .build(&config.words)
            .map_err(|error| ConfigError::new("words", error.to_string()))?;
        Ok(Self {
            automaton,
            kind: "denied_word".into(),
            whole_words: config.whole_words,
            action: config.action,
            redactor: Redactor::new(config.redact, "redact")?,
        })
    }

    /// The words in order; those that overlap as one.
    fn find(&self, text: &str) -> Vec<Finding> {
        let mut findings: Vec<Finding> = (self.automaton.find_overlapping_iter(text))
            .map(|found| found.range())
            .filter(|span| !self.whole_words || stands_alone(text, span))
            .map(|span| Finding::new(self.kind.clone(), span, Confidence::High))
            .collect();
        crate::finding::without_overlaps(&mut findings);
        findings
    }
}

impl Detector for DenyList {
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String> {
        self.action.carry_out(text, self.find(text), &self.redactor, place, report)
    }

    fn conclude(&self, report: &mut Report) {
        self.action.conclude(report, "DENIED_WORD", "the payload has words that are not allowed");
    }

    fn rewrites(&self) -> bool {
        self.action == Action::Redact
    }
}

/// Whether no letter, digit or underscore touches a span; a word that ends in a sign of its own may be touched.
fn stands_alone(text: &str, span: &Range<usize>) -> bool {
    let in_word = |character: char| character.is_alphanumeric() || character == '_';
    let joined =
        |left: Option<char>, right: Option<char>| left.is_some_and(in_word) && right.is_some_and(in_word);
    let (before, word, after) = (&text[..span.start], &text[span.clone()], &text[span.end..]);
    !joined(before.chars().next_back(), word.chars().next())
        && !joined(word.chars().next_back(), after.chars().next())
}
