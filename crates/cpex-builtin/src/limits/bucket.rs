//! The machine behind the rate limiter: a leaky bucket, in whole numbers.
//!
//! A call pours its cost in, time drains it at the limit's rate, and a call that would overflow is refused. This is
//! the generic cell rate algorithm, kept as a level so that any rate is exact: a limit of 7 in 3 seconds needs no
//! rounding.
//!
//! **The law:** in any window of length `w`, calls worth at most `burst + rate · w` pass.
//!
//! `governor` decides the same (a test compares them), but charges limits one after the other: a call that a second
//! limit refuses would already have used up the first, so that whoever is over their own limit could use up that
//! of their tenant. Here all levels are looked at first and written after.

use std::num::NonZeroU32;
use std::time::Duration;

use super::moment::{Moment, micros};
use super::rate::Rate;

/// The greatest level: the greatest whole number that Redis's scripts count exactly.
const FULL: u64 = 1 << 53;

/// A limit, compiled: how much it holds, and how fast it drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// What it holds, in drops.
    pub capacity: u64,
    /// What a call of cost one pours in.
    pub charge: u64,
    /// What drains in a microsecond.
    pub drain: u64,
}

/// How full a bucket was, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// In drops.
    pub drops: u64,
    /// When it was that full.
    pub at: Moment,
}

/// Why a rate cannot be kept exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} with a burst of {1} cannot be counted exactly: use a rounder number, a shorter time or a smaller burst"
)]
pub struct TooFine(Rate, NonZeroU32);

impl Bucket {
    /// A bucket that lets `burst` through at once and `rate` in the long run.
    ///
    /// # Errors
    /// The rate needs greater numbers than Redis has: a prime number of calls in a year, say.
    pub fn new(rate: Rate, burst: NonZeroU32) -> Result<Self, TooFine> {
        let (count, per) = (u64::from(rate.count().get()), micros(rate.per().duration()));
        let common = greatest_common_divisor(count, per);
        let (drain, charge) = (count / common, per / common);
        let capacity = charge.checked_mul(burst.get().into()).filter(|drops| *drops < FULL / 2);
        Ok(Self { capacity: capacity.ok_or(TooFine(rate, burst))?, charge, drain })
    }

    /// The share of one among `hosts`: as fast a rate, and as large a burst, divided by them.
    #[must_use]
    pub fn share(self, hosts: NonZeroU32) -> Option<Self> {
        let charge = self.charge.checked_mul(hosts.get().into())?;
        (charge <= self.capacity).then_some(Self { charge, ..self })
    }

    /// How full it is now. A clock that went back drains nothing.
    #[must_use]
    pub fn drops(self, level: Level, now: Moment) -> u64 {
        level.drops.saturating_sub(micros(now.since(level.at)).saturating_mul(self.drain))
    }

    /// The level after a pour. Time is never counted twice, even if a clock goes back.
    #[must_use]
    pub fn after(self, level: Level, now: Moment, pour: u64) -> Level {
        Level { drops: self.drops(level, now) + pour, at: now.max(level.at) }
    }

    /// What a call of this cost pours in; more than it holds if that is too much ever to pass.
    #[must_use]
    pub fn pour(self, cost: u32) -> u64 {
        self.charge.saturating_mul(cost.into()).min(self.capacity + 1)
    }

    /// Whether a pour fits.
    #[must_use]
    pub const fn fits(self, drops: u64, pour: u64) -> bool {
        drops + pour <= self.capacity
    }

    /// How many calls of cost one may follow at once.
    #[must_use]
    pub const fn remaining(self, drops: u64) -> u64 {
        self.capacity.saturating_sub(drops) / self.charge
    }

    /// How many calls of cost one it holds.
    #[must_use]
    pub const fn burst(self) -> u64 {
        self.capacity / self.charge
    }

    /// How long until it is empty.
    #[must_use]
    pub const fn empties(self, drops: u64) -> Duration {
        Duration::from_micros(drops.div_ceil(self.drain))
    }

    /// How long until a pour fits; `None` if it never will.
    #[must_use]
    pub const fn retry_after(self, drops: u64, pour: u64) -> Option<Duration> {
        match self.capacity.checked_sub(pour) {
            Some(room) => Some(self.empties(drops.saturating_sub(room))),
            None => None,
        }
    }
}

const fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
