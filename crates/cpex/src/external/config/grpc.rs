//! The section `grpc`.

use std::time::Duration;

use cpex_config::Step;
use cpex_remote::RemoteConfig;
use cpex_remote::grpc::{ClientConfig, Target};
use serde::Deserialize;

use super::balance::{self, Breaker, Health, Repeat};
use super::common::{above_zero, not_negative};
use super::tls::{self, Tls};
use super::{Reach, Section};
use crate::config::ConfigError;
use crate::external::server::First;
use crate::foreign::Absent;

#[derive(Deserialize)]
pub(super) struct Grpc {
    target: Option<String>,
    endpoints: Option<Vec<String>>,
    uds: Option<String>,
    tls: Option<Tls>,
    token: Option<String>,
    #[serde(default, deserialize_with = "above_zero")]
    timeout: Option<Duration>,
    #[serde(default, deserialize_with = "above_zero")]
    connect_timeout: Option<Duration>,
    reconnect_attempts: Option<usize>,
    #[serde(default, deserialize_with = "not_negative")]
    reconnect_delay: Option<Duration>,
    breaker: Option<Breaker>,
    health_check: Option<Health>,
    repeat: Option<Repeat>,
}

pub(super) fn read(written: Grpc, section: Section<'_>) -> Result<Reach, ConfigError> {
    let (targets, tls) = match written.uds {
        Some(_) if written.target.is_some() || written.endpoints.is_some() => {
            return Err(section.problem("uds", "expected either a socket, or target or endpoints"));
        }
        Some(_) if written.tls.is_some() => {
            return Err(section.problem("tls", "TLS configuration is not supported for Unix domain sockets"));
        }
        Some(path) => (vec![Target::Unix(section.socket(&path)?)], None),
        None => {
            let tcp = |(path, address): (Vec<Step<'_>>, String)| match is_address(&address) {
                true => Ok(Target::Tcp(address)),
                false => Err(section.problem_at(&path, "expected host:port")),
            };
            let addresses = section.addresses(written.target, "target", written.endpoints)?;
            let targets = addresses.into_iter().map(tcp).collect::<Result<_, _>>()?;
            let tls = match written.tls {
                Some(written) => Some(tls::read(written, section)?),
                None => tls::of_environment("PLUGINS_GRPC_CLIENT_MTLS_")?,
            };
            (targets, tls)
        }
    };
    let token = section.token(written.token)?;
    let client = |target| {
        let usual = ClientConfig::new(target);
        let config = ClientConfig {
            tls: tls.clone(),
            token: token.clone(),
            timeout: section.timeout(written.timeout, usual.timeout),
            connect_timeout: section.connect_timeout(
                written.connect_timeout,
                usual.connect_timeout,
                written.timeout,
            )?,
            reconnect_attempts: written.reconnect_attempts.unwrap_or(usual.reconnect_attempts),
            reconnect_delay: written.reconnect_delay.unwrap_or(usual.reconnect_delay),
            ..usual
        };
        match config.shows_token() {
            true => Err(section.token_is_shown(&config.target.to_string(), "set tls")),
            false => Ok(RemoteConfig::Grpc(config)),
        }
    };
    Ok(Reach {
        endpoints: targets.into_iter().map(client).collect::<Result<_, _>>()?,
        balance: balance::read(written.breaker, written.health_check, written.repeat),
        absent: Absent::IsNotTold,
        first: First::Patient,
    })
}

fn is_address(text: &str) -> bool {
    let port = |port: &str| port.parse().is_ok_and(|port: u16| port > 0);
    text.rsplit_once(':').is_some_and(|(host, number)| !host.is_empty() && port(number))
}
