//! `output_length`: no more text than fits.

use std::sync::Arc;

use serde::Deserialize;

use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report};
use crate::inspect::Detector;
use crate::text::Place;

/// The configuration of `output_length`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OutputLengthConfig {
    /// The most all texts of a payload may measure together. Keys of objects do not count.
    pub limit: usize,
    /// What is counted.
    #[serde(default)]
    pub unit: Unit,
    /// What happens to a longer payload.
    #[serde(default)]
    pub action: TooLong,
    /// What stands at the end of a text that was cut. It counts.
    #[serde(default = "ellipsis")]
    pub ellipsis: String,
}

fn ellipsis() -> String {
    "…".to_owned()
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Unicode characters.
    #[default]
    Characters,
    /// Tokens of a language model, by an estimate without its vocabulary: a token for every four letters or digits
    /// of a word in ASCII, two of one in another alphabet, and every other sign but white space.
    Tokens,
}

/// What happens to a payload that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// The text that passes the limit is cut there, and those behind it become empty.
    #[default]
    Truncate,
    /// The payload goes no further.
    Deny,
}

/// Limits how long all texts of a payload are together.
pub struct OutputLength {
    config: OutputLengthConfig,
    kind: Arc<str>,
}

impl OutputLength {
    /// Checks the configuration.
    ///
    /// # Errors
    /// The ellipsis alone is longer than the limit.
    pub fn new(config: OutputLengthConfig) -> Result<Self, ConfigError> {
        let most = config.unit.measure(&config.ellipsis);
        if config.limit < most {
            return Err(ConfigError::new("limit", format!("less than the ellipsis, which measures {most}")));
        }
        Ok(Self { config, kind: "too_long".into() })
    }
}

impl Detector for OutputLength {
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String> {
        if place.is_key() || text.is_empty() {
            return None;
        }
        let OutputLengthConfig { limit, unit, action, ellipsis } = &self.config;
        let room = limit.saturating_sub(report.total);
        report.total += unit.measure(text);
        if report.total <= *limit {
            return None;
        }
        let end = unit.cut(text, room.saturating_sub(unit.measure(ellipsis)));
        let finding =
            Finding { kind: self.kind.clone(), span: end..text.len(), confidence: Confidence::High };
        report.add(finding, place);
        if *action == TooLong::Deny {
            return None;
        }
        // The ellipsis is said once; there may be no room for it where the text before ended at the limit.
        let mark = if room >= unit.measure(ellipsis) { ellipsis } else { "" };
        Some(format!("{}{mark}", &text[..end]))
    }

    fn conclude(&self, report: &mut Report) {
        if self.config.action == TooLong::Deny && report.total > self.config.limit {
            report.deny("OUTPUT_TOO_LONG", "the text is longer than allowed");
            if let Some(denial) = &mut report.denial {
                denial.details.insert("length".to_owned(), report.total.into());
                denial.details.insert("limit".to_owned(), self.config.limit.into());
            }
        }
    }

    fn rewrites(&self) -> bool {
        self.config.action == TooLong::Truncate
    }
}

impl Unit {
    /// How long a text is.
    #[must_use]
    pub fn measure(self, text: &str) -> usize {
        match self {
            Self::Characters => text.chars().count(),
            Self::Tokens => token_ends(text).count(),
        }
    }

    /// The byte where a text of this many units ends.
    fn cut(self, text: &str, units: usize) -> usize {
        match self {
            Self::Characters => text.char_indices().nth(units).map_or(text.len(), |(at, _)| at),
            Self::Tokens => units.checked_sub(1).and_then(|last| token_ends(text).nth(last)).unwrap_or(0),
        }
    }
}

/// Where the estimated tokens of a text end, in bytes.
fn token_ends(text: &str) -> impl Iterator<Item = usize> {
    let mut characters = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = characters.find(|(_, character)| !character.is_whitespace())?;
        let mut end = start + first.len_utf8();
        let longest = if first.is_ascii() { 4 } else { 2 };
        let in_word =
            |character: char| character.is_alphanumeric() && character.is_ascii() == first.is_ascii();
        for _ in 1..longest {
            match characters.next_if(|(_, character)| in_word(first) && in_word(*character)) {
                Some((at, character)) => end = at + character.len_utf8(),
                None => break,
            }
        }
        Some(end)
    })
}
