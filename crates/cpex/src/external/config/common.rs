//! What can be said of every transport.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cpex_config::Step;
use cpex_remote::Secret;
use serde::Deserialize as _;
use serde::de::{Deserializer, Error};

use super::Section;
use crate::config::ConfigError;

/// For a connection to be made over some distance when the plugin is loaded, however short its calls are.
const LEAST: Duration = Duration::from_millis(250);

/// Seconds, more than none.
pub(super) fn above_zero<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Duration>, D::Error> {
    match not_negative(reader)? {
        Some(time) if time.is_zero() => Err(D::Error::custom("expected seconds, more than 0")),
        time => Ok(time),
    }
}

/// Seconds.
pub(super) fn not_negative<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Duration>, D::Error> {
    let time = Option::deserialize(reader)?.map(Duration::try_from_secs_f64);
    time.transpose().map_err(|_| D::Error::custom("expected seconds, 0 or more"))
}

impl Section<'_> {
    /// For a call, if the section says nothing: as long as the plugin may take, where its entry gives it longer than
    /// usual.
    pub(super) fn timeout(self, written: Option<Duration>, usual: Duration) -> Duration {
        written.unwrap_or_else(|| self.entry.timeout.map_or(usual, |limit| limit.max(usual)))
    }

    /// For a connection, if the section says nothing: so much of a call's time that it can still be made to another server.
    pub(super) fn connect_timeout(
        self,
        written: Option<Duration>,
        usual: Duration,
        timeout: Option<Duration>,
    ) -> Result<Duration, ConfigError> {
        match written {
            Some(longer) if timeout.is_some_and(|timeout| longer > timeout) => {
                Err(self.problem("connect_timeout", "expected no more seconds than timeout has"))
            }
            Some(written) => Ok(written),
            None => {
                let limits = [timeout, self.entry.timeout].into_iter().flatten();
                Ok(limits.map(|limit| (limit / 2).max(LEAST)).fold(usual, Duration::min))
            }
        }
    }

    /// What is shown to the server.
    pub(super) fn token(self, written: Option<String>) -> Result<Option<Secret>, ConfigError> {
        match written {
            Some(token) if token.trim().is_empty() => {
                Err(self.problem("token", "expected a token: leave it out if the server asks for none"))
            }
            written => Ok(written.map(Secret::new)),
        }
    }

    /// Others could read the token that goes there.
    pub(super) fn token_is_shown(self, place: &str, remedy: &str) -> ConfigError {
        let problem = format!("without TLS others can read it on its way to {place}: {remedy}");
        self.problem("token", problem)
    }

    /// The address and those of `endpoints`, each once and with its path; there is at least one.
    pub(super) fn addresses<'f>(
        self,
        address: Option<String>,
        field: &'f str,
        endpoints: Option<Vec<String>>,
    ) -> Result<Vec<(Vec<Step<'f>>, String)>, ConfigError> {
        let first = address.map(|address| (vec![Step::Key(field)], address));
        if endpoints.as_ref().is_some_and(Vec::is_empty) {
            return Err(self.problem("endpoints", "expected at least one address"));
        }
        let path = |index| vec![Step::Key("endpoints"), Step::Index(index)];
        let others = endpoints.into_iter().flatten().enumerate().map(|(index, other)| (path(index), other));
        let mut all: Vec<(_, String)> = Vec::new();
        for (path, address) in first.into_iter().chain(others) {
            if all.iter().all(|(_, known)| *known != address) {
                all.push((path, address));
            }
        }
        if all.is_empty() {
            return Err(self.wrong(format!("{field:?} is missing, or \"endpoints\" for several servers")));
        }
        Ok(all)
    }

    /// The socket of `uds`, whose directory must exist.
    pub(super) fn socket(self, path: &str) -> Result<PathBuf, ConfigError> {
        if path.trim().is_empty() {
            return Err(self.problem("uds", "expected the path of a socket, found an empty text"));
        }
        let path = std::path::absolute(path).map_err(|_| self.problem("uds", "it cannot be resolved"))?;
        if !path.parent().is_some_and(Path::is_dir) {
            return Err(self.problem("uds", "the directory of the socket does not exist"));
        }
        Ok(path)
    }
}
