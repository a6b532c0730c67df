//! How a server is reached, as the configuration models describe it.

use std::path::PathBuf;
use std::time::Duration;

use cpex_remote::balance::{BalanceConfig, BreakerConfig, HealthCheck, Repeat};
use cpex_remote::mcp::{Endpoint, Http, Launch, Program};
use cpex_remote::tls::{ClientTls, Identity, Verify};
use cpex_remote::{RemoteConfig, Secret, grpc, mcp, unix};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What there is to say of every transport. Times are seconds.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Options {
    /// For a whole call; without it, a call lasts until it is given up.
    timeout: Option<f64>,
    reconnect_attempts: Option<usize>,
    reconnect_delay: Option<f64>,
    /// Calls at a time.
    calls: Option<usize>,
    token: Option<String>,
    breaker: Breaker,
    health_check: Option<Health>,
    repeat: Option<Repeated>,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Breaker {
    failures: u32,
    wait: f64,
    longest_wait: f64,
    successes: u32,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Health {
    interval: f64,
    timeout: f64,
    misses: u32,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Repeated {
    retries: u32,
    wait: f64,
    hedge_after: Option<f64>,
}

#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Tls {
    certfile: Option<PathBuf>,
    keyfile: Option<PathBuf>,
    keyfile_password: Option<String>,
    ca_bundle: Option<PathBuf>,
    verify: bool,
    check_hostname: bool,
}

/// A server that is started.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Started {
    cmd: Option<Vec<String>>,
    script: Option<PathBuf>,
    env: Vec<(String, String)>,
    cwd: Option<PathBuf>,
    python: PathBuf,
}

impl From<Tls> for ClientTls {
    fn from(tls: Tls) -> Self {
        let password = tls.keyfile_password.map(Secret::new);
        let keyfile = tls.keyfile;
        Self {
            identity: tls.certfile.map(|certfile| Identity { certfile, keyfile, password }),
            ca_bundle: tls.ca_bundle,
            verify: match (tls.verify, tls.check_hostname) {
                (true, true) => Verify::Full,
                (true, false) => Verify::AnyName,
                (false, _) => Verify::Nothing,
            },
        }
    }
}

impl From<Started> for Program {
    fn from(started: Started) -> Self {
        let launch = match (started.cmd, started.script) {
            (Some(words), _) => Launch::Command(words),
            (None, script) => Launch::Script(script.unwrap_or_default()),
        };
        let env = started.env.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        Self { env, cwd: started.cwd, python: started.python, ..Self::new(launch) }
    }
}

impl Options {
    pub(super) fn unix(&self, path: PathBuf) -> PyResult<RemoteConfig> {
        let standard = unix::ClientConfig::new(path);
        Ok(RemoteConfig::Unix(unix::ClientConfig {
            timeout: self.timeout()?,
            reconnect_attempts: self.reconnect_attempts.unwrap_or(standard.reconnect_attempts),
            reconnect_delay: seconds(self.reconnect_delay)?.unwrap_or(standard.reconnect_delay),
            connections: self.calls.unwrap_or(standard.connections),
            ..standard
        }))
    }

    pub(super) fn grpc(&self, target: &str, tls: Option<ClientTls>) -> PyResult<RemoteConfig> {
        let standard = grpc::ClientConfig::new(match target.strip_prefix("unix:") {
            Some(path) => grpc::Target::Unix(path.strip_prefix("//").unwrap_or(path).into()),
            None => grpc::Target::Tcp(target.strip_prefix("dns:///").unwrap_or(target).to_owned()),
        });
        Ok(RemoteConfig::Grpc(grpc::ClientConfig {
            tls,
            token: self.token(),
            timeout: self.timeout()?,
            reconnect_attempts: self.reconnect_attempts.unwrap_or(standard.reconnect_attempts),
            reconnect_delay: seconds(self.reconnect_delay)?.unwrap_or(standard.reconnect_delay),
            ..standard
        }))
    }

    pub(super) fn http(
        &self,
        url: String,
        socket: Option<PathBuf>,
        tls: ClientTls,
    ) -> PyResult<RemoteConfig> {
        self.mcp(Endpoint::Http(Http { socket, tls, token: self.token(), ..Http::new(url) }))
    }

    pub(super) fn stdio(&self, program: Program) -> PyResult<RemoteConfig> {
        self.mcp(Endpoint::Stdio(program))
    }

    fn mcp(&self, endpoint: Endpoint) -> PyResult<RemoteConfig> {
        let standard = mcp::ClientConfig::new(endpoint);
        Ok(RemoteConfig::Mcp(mcp::ClientConfig {
            timeout: self.timeout()?,
            reconnect_attempts: self.reconnect_attempts.unwrap_or(standard.reconnect_attempts),
            reconnect_delay: seconds(self.reconnect_delay)?.unwrap_or(standard.reconnect_delay),
            calls: self.calls.unwrap_or(standard.calls),
            ..standard
        }))
    }

    pub(super) fn balance(&self) -> PyResult<BalanceConfig> {
        let Breaker { failures, wait, longest_wait, successes } = self.breaker;
        let (wait, longest_wait) = (duration(wait)?, duration(longest_wait)?);
        let health = |health: &Health| {
            let (interval, timeout) = (duration(health.interval)?, duration(health.timeout)?);
            PyResult::Ok(HealthCheck { interval, timeout, misses: health.misses })
        };
        let repeat = |repeat: &Repeated| {
            let (wait, hedge_after) = (duration(repeat.wait)?, seconds(repeat.hedge_after)?);
            PyResult::Ok(Repeat { retries: repeat.retries, wait, hedge_after })
        };
        Ok(BalanceConfig {
            breaker: BreakerConfig { failures, wait, longest_wait, successes },
            health: self.health_check.as_ref().map(health).transpose()?,
            repeat: self.repeat.as_ref().map(repeat).transpose()?,
            ..BalanceConfig::default()
        })
    }

    fn timeout(&self) -> PyResult<Duration> {
        Ok(seconds(self.timeout)?.unwrap_or(Duration::MAX))
    }

    fn token(&self) -> Option<Secret> {
        self.token.as_ref().map(Secret::new)
    }
}

fn seconds(given: Option<f64>) -> PyResult<Option<Duration>> {
    given.map(duration).transpose()
}

fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))
}
