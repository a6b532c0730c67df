//! Lengths of time as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::moment::micros;

/// A length of time, written with its unit: `250ms`, `5s`, `1h 30m`. Never zero.
///
/// ```
/// use cpex_builtin::limits::span::Span;
///
/// let span: Span = "1h 30m".parse()?;
/// assert_eq!(span.duration().as_secs(), 5400);
/// assert_eq!(span.to_string(), "90min");
/// assert!("5".parse::<Span>().is_err(), "without a unit");
/// # Ok::<(), cpex_builtin::limits::span::BadSpan>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Span(#[cfg_attr(feature = "schema", schemars(with = "String"))] Duration);

impl Span {
    /// A length in whole microseconds, the finest that limits tell apart.
    ///
    /// # Errors
    /// It is shorter than a microsecond.
    pub fn new(duration: Duration) -> Result<Self, BadSpan> {
        match micros(duration) {
            0 => Err(BadSpan),
            whole => Ok(Self(Duration::from_micros(whole))),
        }
    }

    /// Seconds, for defaults.
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Milliseconds, for defaults.
    pub(super) const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The length.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

/// Not a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time above zero with its unit, such as 250ms, 5s or 1h 30m")]
pub struct BadSpan;

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, BadSpan> {
        Self::new(humantime::parse_duration(text).map_err(|_| BadSpan)?)
    }
}

impl TryFrom<String> for Span {
    type Error = BadSpan;

    fn try_from(text: String) -> Result<Self, BadSpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl fmt::Display for Span {
    /// In the largest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 5] = [
            (86_400_000_000, "d"),
            (3_600_000_000, "h"),
            (60_000_000, "min"),
            (1_000_000, "s"),
            (1_000, "ms"),
        ];
        let micros = micros(self.0);
        let (size, unit) =
            UNITS.into_iter().find(|(size, _)| micros.is_multiple_of(*size)).unwrap_or((1, "us"));
        write!(f, "{}{unit}", micros / size)
    }
}
