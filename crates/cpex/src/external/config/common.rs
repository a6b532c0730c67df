//! What can be said of every transport.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpex_config::Step;
use cpex_remote::Secret;
use cpex_remote::balance::BreakerConfig;
use serde::Deserialize;

use super::Section;
use crate::config::ConfigError;

/// How connecting is tried again.
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Reconnect {
    attempts: Option<usize>,
    delay_ms: Option<u64>,
}

impl Reconnect {
    pub(super) fn attempts_or(self, usual: usize) -> usize {
        self.attempts.unwrap_or(usual)
    }

    pub(super) fn delay_or(self, usual: Duration) -> Duration {
        self.delay_ms.map_or(usual, Duration::from_millis)
    }
}

/// When a server that fails is left alone, and for how long.
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Breaker {
    failures: Option<NonZeroU32>,
    wait_ms: Option<u64>,
    longest_wait_ms: Option<u64>,
    successes: Option<NonZeroU32>,
}

impl From<Breaker> for BreakerConfig {
    fn from(written: Breaker) -> Self {
        let usual = Self::default();
        let wait = written.wait_ms.map_or(usual.wait, Duration::from_millis);
        Self {
            failures: written.failures.map_or(usual.failures, NonZeroU32::get),
            wait,
            longest_wait: written.longest_wait_ms.map_or(usual.longest_wait.max(wait), Duration::from_millis),
            successes: written.successes.map_or(usual.successes, NonZeroU32::get),
        }
    }
}

pub(super) fn timeout_or(written: Option<NonZeroU64>, usual: Duration) -> Duration {
    written.map_or(usual, |ms| Duration::from_millis(ms.get()))
}

/// A token: blank is as good as none, for it may be a variable that is not set.
pub(super) fn token(written: Option<String>, section: Section<'_>) -> Result<Option<Secret>, ConfigError> {
    match written {
        Some(token) if token.trim().is_empty() => {
            Err(section.problem("token", "expected a token: leave it out if the server asks for none"))
        }
        written => Ok(written.map(Secret::new)),
    }
}

/// The one address, or those of `endpoints`, with the path of each; there is at least one.
pub(super) fn addresses<'f>(
    one: Option<String>,
    field: &'f str,
    several: Option<Vec<String>>,
    section: Section<'_>,
) -> Result<Vec<(Vec<Step<'f>>, String)>, ConfigError> {
    match (one, several) {
        (Some(_), Some(_)) => {
            Err(section.problem("endpoints", format!("expected either {field} or endpoints, not both")))
        }
        (Some(one), None) => Ok(vec![(vec![Step::Key(field)], one)]),
        (None, Some(several)) if several.is_empty() => {
            Err(section.problem("endpoints", "expected at least one address"))
        }
        (None, Some(several)) => {
            let path = |index| vec![Step::Key("endpoints"), Step::Index(index)];
            Ok(several.into_iter().enumerate().map(|(index, address)| (path(index), address)).collect())
        }
        (None, None) => {
            Err(section.wrong(format!("{field:?} is missing, or \"endpoints\" for several servers")))
        }
    }
}

/// The path of a socket, whose directory must exist.
pub(super) fn socket(path: &str, below: &[Step<'_>], section: Section<'_>) -> Result<PathBuf, ConfigError> {
    let wrong = |problem: &str| Err(section.problem_at(below, problem));
    if path.trim().is_empty() {
        return wrong("expected the path of a socket, found an empty text");
    }
    let Ok(path) = std::path::absolute(path) else { return wrong("this path cannot be resolved") };
    if !path.parent().is_some_and(Path::is_dir) {
        return wrong("the directory of the socket does not exist");
    }
    Ok(path)
}
