//! Amounts of money, tokens or whatever a budget counts.

use std::fmt;
use std::iter::Sum;

use serde::{Deserialize, Serialize};

/// An amount to the millionth, so that sums are exact. From 0 to 4,000,000,000.
///
/// ```
/// use cpex_builtin::limits::amount::Amount;
///
/// let sum: Amount = [Amount::new(0.1)?, Amount::new(0.2)?].into_iter().sum();
/// assert_eq!(sum, Amount::new(0.3)?);
/// assert!(Amount::new(-1.0).is_err());
/// # Ok::<(), cpex_builtin::limits::amount::BadAmount>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "f64"))]
#[serde(try_from = "f64", into = "f64")]
pub struct Amount(u64);

const MILLION: f64 = 1e6;

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The greatest amount: its millionths, and the sum of two such, are whole numbers to Redis too.
    pub const MAX: Self = Self(4_000_000_000_000_000);

    /// The amount nearest to a number.
    ///
    /// # Errors
    /// It is negative, not finite, or too great.
    pub fn new(number: f64) -> Result<Self, BadAmount> {
        Self::checked((number * MILLION).round())
    }

    /// As much as `quantity` costs at `price` for each `per`, rounded up.
    ///
    /// # Errors
    /// The quantity is negative or not finite, or the result too great.
    pub fn priced(quantity: f64, price: Self, per: u32) -> Result<Self, BadAmount> {
        Self::checked((quantity * price.0 as f64 / f64::from(per.max(1))).ceil())
    }

    /// So many millionths.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Millionths.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// As a number, for people.
    #[must_use]
    pub fn number(self) -> f64 {
        self.0 as f64 / MILLION
    }

    /// The sum, which stops at what can be counted.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left, if anything.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and MAX")]
    fn checked(micros: f64) -> Result<Self, BadAmount> {
        if (0.0..=Self::MAX.0 as f64).contains(&micros) { Ok(Self(micros as u64)) } else { Err(BadAmount) }
    }
}

/// Not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an amount from 0 to 4000000000, to the millionth")]
pub struct BadAmount;

impl TryFrom<f64> for Amount {
    type Error = BadAmount;

    fn try_from(number: f64) -> Result<Self, BadAmount> {
        Self::new(number)
    }
}

impl From<Amount> for f64 {
    fn from(amount: Amount) -> Self {
        amount.number()
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::plus)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}
