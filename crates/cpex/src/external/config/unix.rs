//! The section `unix_socket`.

use std::path::PathBuf;
use std::time::Duration;

use cpex_config::Step;
use cpex_remote::RemoteConfig;
use cpex_remote::unix::ClientConfig;
use serde::Deserialize;

use super::balance::{self, Breaker, Health, Repeat};
use super::common::{above_zero, not_negative};
use super::{Reach, Section};
use crate::config::ConfigError;
use crate::external::server::First;
use crate::foreign::Absent;

#[derive(Deserialize)]
pub(super) struct Unix {
    path: Option<String>,
    endpoints: Option<Vec<String>>,
    #[serde(default, deserialize_with = "above_zero")]
    timeout: Option<Duration>,
    reconnect_attempts: Option<usize>,
    #[serde(default, deserialize_with = "not_negative")]
    reconnect_delay: Option<Duration>,
    breaker: Option<Breaker>,
    health_check: Option<Health>,
    repeat: Option<Repeat>,
}

pub(super) fn read(written: Unix, section: Section<'_>) -> Result<Reach, ConfigError> {
    let absolute = |(below, path): (Vec<Step<'_>>, String)| match PathBuf::from(path) {
        path if path.is_absolute() => Ok(path),
        _ => Err(section.problem_at(&below, "expected an absolute path")),
    };
    let paths = section.addresses(written.path, "path", written.endpoints)?;
    let paths: Vec<_> = paths.into_iter().map(absolute).collect::<Result<_, _>>()?;
    let client = |path| {
        let usual = ClientConfig::new(path);
        RemoteConfig::Unix(ClientConfig {
            timeout: section.timeout(written.timeout, usual.timeout),
            reconnect_attempts: written.reconnect_attempts.unwrap_or(usual.reconnect_attempts),
            reconnect_delay: written.reconnect_delay.unwrap_or(usual.reconnect_delay),
            ..usual
        })
    };
    Ok(Reach {
        endpoints: paths.into_iter().map(client).collect(),
        balance: balance::read(written.breaker, written.health_check, written.repeat),
        absent: Absent::IsNotTold,
        first: First::AtOnce,
    })
}
