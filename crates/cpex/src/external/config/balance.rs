//! How calls are spread over servers, and what is done when they fail. Times are seconds.

use std::num::NonZeroU32;
use std::time::Duration;

use cpex_remote::balance::{BalanceConfig, BreakerConfig, HealthCheck};
use serde::Deserialize;

use super::common::{above_zero, not_negative};

/// When a server that fails is left alone, and for how long.
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Breaker {
    failures: Option<NonZeroU32>,
    #[serde(default, deserialize_with = "above_zero")]
    wait: Option<Duration>,
    #[serde(default, deserialize_with = "above_zero")]
    longest_wait: Option<Duration>,
    successes: Option<NonZeroU32>,
}

/// How servers are watched.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Health {
    #[serde(default, deserialize_with = "above_zero")]
    interval: Option<Duration>,
    #[serde(default, deserialize_with = "above_zero")]
    timeout: Option<Duration>,
    misses: Option<NonZeroU32>,
}

/// The plugin is idempotent, and how its calls are repeated.
#[derive(Clone, Copy, Deserialize)]
pub(super) struct Repeat {
    retries: Option<u32>,
    #[serde(default, deserialize_with = "not_negative")]
    wait: Option<Duration>,
    #[serde(default, deserialize_with = "above_zero")]
    hedge_after: Option<Duration>,
}

/// The longest that a server is left alone, unless an entry says so: a plugin is missed sooner than a web page.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a section says of all that, and what is usual where it says nothing.
pub(super) fn read(
    breaker: Option<Breaker>,
    health: Option<Health>,
    repeat: Option<Repeat>,
) -> BalanceConfig {
    BalanceConfig {
        breaker: breaker.unwrap_or_default().into(),
        health: health.map(Into::into),
        repeat: repeat.map(Into::into),
        ..BalanceConfig::default()
    }
}

impl From<Breaker> for BreakerConfig {
    fn from(written: Breaker) -> Self {
        let usual = Self::default();
        let wait = written.wait.unwrap_or(usual.wait);
        Self {
            failures: written.failures.map_or(usual.failures, NonZeroU32::get),
            wait,
            longest_wait: written.longest_wait.unwrap_or(LONGEST_WAIT).max(wait),
            successes: written.successes.map_or(usual.successes, NonZeroU32::get),
        }
    }
}

impl From<Health> for HealthCheck {
    fn from(written: Health) -> Self {
        let usual = Self::default();
        Self {
            interval: written.interval.unwrap_or(usual.interval),
            timeout: written.timeout.unwrap_or(usual.timeout),
            misses: written.misses.map_or(usual.misses, NonZeroU32::get),
        }
    }
}

impl From<Repeat> for cpex_remote::balance::Repeat {
    fn from(written: Repeat) -> Self {
        let usual = Self::default();
        Self {
            retries: written.retries.unwrap_or(usual.retries),
            wait: written.wait.unwrap_or(usual.wait),
            hedge_after: written.hedge_after,
        }
    }
}
