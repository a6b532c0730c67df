//! The section `grpc`.

use std::num::NonZeroU64;

use cpex_config::Step;
use cpex_remote::RemoteConfig;
use cpex_remote::grpc::{ClientConfig, Target};
use serde::Deserialize;

use super::common::{Breaker, Reconnect, addresses, socket, timeout_or, token};
use super::tls::{self, Tls};
use super::{Reach, Section};
use crate::config::ConfigError;
use crate::external::server::{Absent, First};

#[derive(Deserialize)]
pub(super) struct Grpc {
    target: Option<String>,
    endpoints: Option<Vec<String>>,
    uds: Option<String>,
    tls: Option<Tls>,
    token: Option<String>,
    timeout_ms: Option<NonZeroU64>,
    #[serde(default)]
    reconnect: Reconnect,
    #[serde(default)]
    breaker: Breaker,
}

pub(super) fn read(written: Grpc, section: Section<'_>) -> Result<Reach, ConfigError> {
    let Grpc { target, endpoints, uds, tls, token: shown, timeout_ms, reconnect, breaker } = written;
    let (targets, tls) = match uds {
        Some(_) if target.is_some() || endpoints.is_some() => {
            return Err(section.problem("uds", "expected either a socket, or target or endpoints"));
        }
        Some(_) if tls.is_some() => {
            return Err(section.problem("tls", "TLS configuration is not supported for Unix domain sockets"));
        }
        Some(path) => (vec![Target::Unix(socket(&path, &[Step::Key("uds")], section)?)], None),
        None => {
            let tcp = |(path, address): (Vec<Step<'_>>, String)| match is_address(&address) {
                true => Ok(Target::Tcp(address)),
                false => Err(section.problem_at(&path, "expected host:port")),
            };
            let addresses = addresses(target, "target", endpoints, section)?;
            let targets = addresses.into_iter().map(tcp).collect::<Result<_, _>>()?;
            let tls = match tls {
                Some(written) => Some(tls::read(written, section)?),
                None => tls::of_environment("PLUGINS_GRPC_CLIENT_MTLS_")?,
            };
            (targets, tls)
        }
    };
    let token = token(shown, section)?;
    let client = |target| {
        let usual = ClientConfig::new(target);
        RemoteConfig::Grpc(ClientConfig {
            tls: tls.clone(),
            token: token.clone(),
            timeout: timeout_or(timeout_ms, usual.timeout),
            reconnect_attempts: reconnect.attempts_or(usual.reconnect_attempts),
            reconnect_delay: reconnect.delay_or(usual.reconnect_delay),
            ..usual
        })
    };
    Ok(Reach {
        endpoints: targets.into_iter().map(client).collect(),
        breaker: breaker.into(),
        absent: Absent::IsNotTold,
        first: First::Patient,
    })
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse().is_ok_and(|port: u16| port > 0))
}
