//! `output_length`: no more text than fits.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use unicode_segmentation::GraphemeCursor;

use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report};
use crate::inspect::Detector;
use crate::text::Place;

/// The configuration of `output_length`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OutputLengthConfig {
    /// The most all texts of a payload may measure together. Keys of objects do not count; whole numbers of seven
    /// digits or more count as texts.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Unicode characters (code points).
    #[default]
    Characters,
    /// Bytes in UTF-8.
    Bytes,
    /// Tokens of a language model, by an estimate without its vocabulary: a token for every four letters or digits
    /// of a word in ASCII, two of one in another alphabet, and every other sign but white space.
    Tokens,
}

/// What happens to a payload that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TooLong {
    /// The text that passes the limit is cut there, and those behind it become empty. No sign that people see as one
    /// is cut in two. How long the whole was is in the metadata.
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
        let end = before_sign(text, end);
        let finding = Finding::new(self.kind.clone(), end..text.len(), Confidence::High);
        report.add(finding, place);
        if *action == TooLong::Deny {
            return None;
        }
        // The ellipsis is said once; there may be no room for it where the text before ended at the limit.
        let mark = if room >= unit.measure(ellipsis) { ellipsis } else { "" };
        Some(format!("{}{mark}", &text[..end]))
    }

    fn conclude(&self, report: &mut Report) {
        let OutputLengthConfig { limit, unit, action, .. } = &self.config;
        if report.total <= *limit {
            return;
        }
        let told = json!({"length": report.total, "limit": limit, "unit": unit});
        match action {
            TooLong::Truncate => report.notes.extend([("truncated".to_owned(), told)]),
            TooLong::Deny => {
                report.deny("OUTPUT_TOO_LONG", "the text is longer than allowed");
                let details = report.denial.iter_mut().map(|denial| &mut denial.details);
                details.for_each(|details| details.extend(told.as_object().cloned().unwrap_or_default()));
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
            Self::Bytes => text.len(),
            Self::Tokens => token_ends(text).count(),
        }
    }

    /// The byte where a text of this many units ends.
    fn cut(self, text: &str, units: usize) -> usize {
        match self {
            Self::Characters => text.char_indices().nth(units).map_or(text.len(), |(at, _)| at),
            Self::Bytes => {
                (0..=units.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
            }
            Self::Tokens => units.checked_sub(1).and_then(|last| token_ends(text).nth(last)).unwrap_or(0),
        }
    }
}

/// The end of the last sign, as people see signs, that ends at `end` or before it. A family of emojis or a letter with
/// its accents is one.
fn before_sign(text: &str, end: usize) -> usize {
    let mut cursor = GraphemeCursor::new(end, text.len(), true);
    match cursor.is_boundary(text, 0) {
        Ok(false) => cursor.prev_boundary(text, 0).ok().flatten().unwrap_or(0),
        _ => end,
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
