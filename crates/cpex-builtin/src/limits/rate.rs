//! Rates as people write them.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::span::Span;

/// So many calls in a time: `100/min`, `5/s`, `20/30s`, `1000/day`.
///
/// ```
/// use cpex_builtin::limits::rate::Rate;
///
/// let rate: Rate = "100/min".parse()?;
/// assert_eq!((rate.count().get(), rate.per().duration().as_secs()), (100, 60));
/// # Ok::<(), cpex_builtin::limits::rate::BadRate>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    count: NonZeroU32,
    per: Span,
}

impl Rate {
    /// `count` calls in each `per`.
    #[must_use]
    pub const fn new(count: NonZeroU32, per: Span) -> Self {
        Self { count, per }
    }

    /// How many.
    #[must_use]
    pub const fn count(self) -> NonZeroU32 {
        self.count
    }

    /// In which time.
    #[must_use]
    pub const fn per(self) -> Span {
        self.per
    }
}

/// Not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a count above zero, a slash and a time, such as 100/min, 5/s or 20/30s")]
pub struct BadRate;

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let (count, per) = text.split_once('/').ok_or(BadRate)?;
        let count = count.trim().parse().map_err(|_| BadRate)?;
        let per = per.trim();
        let per =
            if per.starts_with(|first: char| first.is_ascii_digit()) { per } else { &format!("1{per}") };
        Ok(Self { count, per: per.parse().map_err(|_| BadRate)? })
    }
}

impl TryFrom<String> for Rate {
    type Error = BadRate;

    fn try_from(text: String) -> Result<Self, BadRate> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per)
    }
}
