//! The section `mcp`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpex_config::Step;
use cpex_remote::mcp::{ClientConfig, Connections, Endpoint, Http, Launch, Program};
use cpex_remote::tls::{ClientTls, Verify};
use cpex_remote::{Addresses, RemoteConfig, Secret};
use serde::Deserialize;

use super::balance::{self, Breaker, Health, Repeat};
use super::common::{above_zero, not_negative};
use super::tls::{self, Tls};
use super::{Reach, Section, url};
use crate::config::{ConfigError, environment};
use crate::external::server::First;
use crate::foreign::Absent;

#[derive(Deserialize)]
pub(super) struct Mcp {
    proto: Proto,
    url: Option<String>,
    endpoints: Option<Vec<String>>,
    uds: Option<String>,
    tls: Option<Tls>,
    token: Option<String>,
    script: Option<PathBuf>,
    cmd: Option<Vec<String>>,
    env: Option<BTreeMap<String, String>>,
    cwd: Option<PathBuf>,
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

#[derive(Clone, Copy, PartialEq, Deserialize)]
enum Proto {
    #[serde(rename = "STREAMABLEHTTP")]
    Http,
    #[serde(rename = "STDIO")]
    Stdio,
}

pub(super) fn read(mut written: Mcp, section: Section<'_>) -> Result<Reach, ConfigError> {
    let endpoints = match written.proto {
        Proto::Http => over_http(&mut written, section)?,
        Proto::Stdio => vec![Endpoint::Stdio(program(&mut written, section)?)],
    };
    let client = |endpoint| {
        let usual = ClientConfig::new(endpoint);
        RemoteConfig::Mcp(ClientConfig {
            timeout: section.timeout(written.timeout, usual.timeout),
            reconnect_attempts: written.reconnect_attempts.unwrap_or(usual.reconnect_attempts),
            reconnect_delay: written.reconnect_delay.unwrap_or(usual.reconnect_delay),
            ..usual
        })
    };
    Ok(Reach {
        endpoints: endpoints.into_iter().map(client).collect(),
        balance: balance::read(written.breaker, written.health_check, written.repeat),
        absent: Absent::IsTold,
        first: First::Patient,
    })
}

fn over_http(written: &mut Mcp, section: Section<'_>) -> Result<Vec<Endpoint>, ConfigError> {
    let of_program = [
        ("script", written.script.is_some()),
        ("cmd", written.cmd.is_some()),
        ("env", written.env.is_some()),
        ("cwd", written.cwd.is_some()),
    ];
    only_for(&of_program, "STDIO", section)?;
    let socket = written.uds.take().map(|path| section.socket(&path)).transpose()?;
    if socket.is_some() && written.endpoints.is_some() {
        return Err(section.problem("uds", "a socket is one server: leave endpoints out"));
    }
    if socket.is_some() && written.tls.is_some() {
        return Err(section.problem("tls", "TLS configuration is not supported for Unix domain sockets."));
    }
    let tls = match written.tls.take() {
        _ if socket.is_some() => ClientTls::default(),
        Some(written) => tls::read(written, section)?,
        None => of_environment()?,
    };
    let token = section.token(written.token.take())?;
    let urls = section.addresses(written.url.take(), "url", written.endpoints.take())?;
    let is_guarded = environment::flag("PLUGINS_SSRF_PROTECTION_ENABLED")?.unwrap_or(true);
    let are_names_guarded = is_guarded && environment::flag("PLUGINS_SSRF_CHECK_ADDRESSES")?.unwrap_or(false);
    let addresses = if are_names_guarded { Addresses::Public } else { Addresses::Any };
    let endpoint = |(path, url): (Vec<Step<'_>>, String)| {
        url::check(&url, is_guarded).map_err(|problem| section.problem_at(&path, problem))?;
        let (socket, tls, token) = (socket.clone(), tls.clone(), token.clone());
        let usual = Http::new(url);
        let connections = Connections {
            connect: section.connect_timeout(
                written.connect_timeout,
                usual.connections.connect,
                written.timeout,
            )?,
            ..usual.connections
        };
        let http = Http { socket, tls, token, addresses, connections, ..usual };
        let shows_token = http.shows_token();
        let endpoint = Endpoint::Http(http);
        match shows_token {
            true => Err(section.token_is_shown(&endpoint.to_string(), "use https://…")),
            false => Ok(endpoint),
        }
    };
    urls.into_iter().map(endpoint).collect()
}

/// What the environment says of TLS where an entry says nothing.
fn of_environment() -> Result<ClientTls, ConfigError> {
    if let Some(tls) = tls::of_environment("PLUGINS_CLIENT_MTLS_")? {
        return Ok(tls);
    }
    let verify = match environment::flag("PLUGINS_SKIP_SSL_VERIFY")? {
        Some(true) => Verify::Nothing,
        Some(false) | None => Verify::Full,
    };
    Ok(ClientTls { verify, ..ClientTls::default() })
}

fn program(written: &mut Mcp, section: Section<'_>) -> Result<Program, ConfigError> {
    let of_http = [
        ("url", written.url.is_some()),
        ("endpoints", written.endpoints.is_some()),
        ("uds", written.uds.is_some()),
        ("tls", written.tls.is_some()),
        ("token", written.token.is_some()),
        ("connect_timeout", written.connect_timeout.is_some()),
    ];
    only_for(&of_http, "STREAMABLEHTTP", section)?;
    if written.cwd.as_ref().is_some_and(|cwd| !cwd.is_dir()) {
        return Err(section.problem("cwd", "it does not exist or is not a directory"));
    }
    let launch = match (written.cmd.take(), written.script.take()) {
        (Some(cmd), None) if cmd.is_empty() || cmd.iter().any(String::is_empty) => {
            return Err(section.problem("cmd", "expected a program and its arguments, none of them empty"));
        }
        (Some(cmd), None) => Launch::Command(cmd),
        (None, Some(script)) => Launch::Script(runnable(script, section)?),
        (Some(_), Some(_)) => {
            return Err(section.problem("script", "expected either script or cmd, not both"));
        }
        (None, None) => return Err(section.wrong("\"cmd\" is missing, or \"script\"")),
    };
    let env = written.env.take().unwrap_or_default();
    if env.keys().any(|name| name.is_empty() || name.contains(['=', '\0'])) {
        return Err(section.problem("env", "expected names of variables"));
    }
    Ok(Program {
        env: env.into_iter().map(|(name, value)| (name, Secret::new(value))).collect(),
        cwd: written.cwd.take(),
        ..Program::new(launch)
    })
}

/// A script with an absolute path can be looked at now; any other begins at the directory that it runs in.
fn runnable(script: PathBuf, section: Section<'_>) -> Result<PathBuf, ConfigError> {
    if script.is_absolute() {
        if !script.is_file() {
            return Err(section.problem("script", "it does not exist"));
        }
        let is_interpreted = script.extension().is_some_and(|kind| kind == "py" || kind == "sh");
        if !is_interpreted && !is_executable(&script) {
            return Err(section.problem("script", "it is not executable, and ends in neither .py nor .sh"));
        }
    }
    Ok(script)
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.permissions().mode() & 0o111 != 0)
}

fn only_for(fields: &[(&str, bool)], proto: &str, section: Section<'_>) -> Result<(), ConfigError> {
    match fields.iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => Err(section.problem(field, format!("it is only valid if proto is {proto}"))),
        None => Ok(()),
    }
}
