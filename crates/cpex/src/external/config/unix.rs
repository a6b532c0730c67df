//! The section `unix_socket`.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use cpex_config::Step;
use cpex_remote::RemoteConfig;
use cpex_remote::unix::ClientConfig;
use serde::Deserialize;

use super::common::{Breaker, Reconnect, addresses, timeout_or};
use super::{Reach, Section};
use crate::config::ConfigError;
use crate::external::server::{Absent, First};

#[derive(Deserialize)]
pub(super) struct Unix {
    path: Option<String>,
    endpoints: Option<Vec<String>>,
    timeout_ms: Option<NonZeroU64>,
    #[serde(default)]
    reconnect: Reconnect,
    #[serde(default)]
    breaker: Breaker,
    /// In seconds, as CPEX 0.1.x has it; so is `reconnect_delay`.
    timeout: Option<f64>,
    reconnect_attempts: Option<usize>,
    reconnect_delay: Option<f64>,
}

pub(super) fn read(written: Unix, section: Section<'_>) -> Result<Reach, ConfigError> {
    let Unix {
        path,
        endpoints,
        timeout_ms,
        reconnect,
        breaker,
        timeout,
        reconnect_attempts,
        reconnect_delay,
    } = written;
    let paths = addresses(path, "path", endpoints, section)?;
    let paths = paths.into_iter().map(|(below, path)| absolute(path, &below, section));
    let paths = paths.collect::<Result<Vec<_>, _>>()?;
    let older_timeout = seconds(timeout, "timeout", section)?;
    let older_delay = seconds(reconnect_delay, "reconnect_delay", section)?;
    if older_timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(section.problem("timeout", "expected seconds, more than 0"));
    }
    let client = |path| {
        let usual = ClientConfig::new(path);
        RemoteConfig::Unix(ClientConfig {
            timeout: timeout_or(timeout_ms, older_timeout.unwrap_or(usual.timeout)),
            reconnect_attempts: reconnect.attempts_or(reconnect_attempts.unwrap_or(usual.reconnect_attempts)),
            reconnect_delay: reconnect.delay_or(older_delay.unwrap_or(usual.reconnect_delay)),
            ..usual
        })
    };
    Ok(Reach {
        endpoints: paths.into_iter().map(client).collect(),
        breaker: breaker.into(),
        absent: Absent::IsNotTold,
        first: First::AtOnce,
    })
}

fn absolute(path: String, below: &[Step<'_>], section: Section<'_>) -> Result<PathBuf, ConfigError> {
    let path = PathBuf::from(path);
    if path.is_absolute() { Ok(path) } else { Err(section.problem_at(below, "expected an absolute path")) }
}

fn seconds(written: Option<f64>, field: &str, section: Section<'_>) -> Result<Option<Duration>, ConfigError> {
    let read = |seconds| Duration::try_from_secs_f64(seconds);
    written.map(read).transpose().map_err(|_| section.problem(field, "expected seconds, 0 or more"))
}
