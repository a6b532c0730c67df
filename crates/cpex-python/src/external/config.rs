//! How a server is reached, as the configuration models describe it.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use cpex_remote::balance::{BalanceConfig, BreakerConfig, HealthCheck, Observer, Repeat};
use cpex_remote::mcp::{Connections, Endpoint, Http, Launch, Program};
use cpex_remote::tls::{ClientTls, Identity, Verify};
use cpex_remote::{Addresses, RemoteConfig, Secret, grpc, mcp, unix};
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
    /// For a connection to be made.
    connect_timeout: Option<f64>,
    /// Calls at a time.
    calls: Option<usize>,
    /// For a call to get its turn.
    turn: Option<f64>,
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

/// How connections over HTTP are made and kept.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(super) struct Pooling {
    write: f64,
    idle: usize,
    expiry: f64,
    /// Whether names may stand for addresses of public networks alone.
    public_only: bool,
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
            reconnect_delay: seconds("reconnect_delay", self.reconnect_delay)?
                .unwrap_or(standard.reconnect_delay),
            connections: self.calls.unwrap_or(standard.connections),
            ..standard
        }))
    }

    pub(super) fn grpc(&self, target: &str, tls: Option<ClientTls>) -> PyResult<RemoteConfig> {
        let standard = grpc::ClientConfig::new(match target.strip_prefix("unix:") {
            Some(path) => grpc::Target::Unix(path.strip_prefix("//").unwrap_or(path).into()),
            None => grpc::Target::Tcp(target.strip_prefix("dns:///").unwrap_or(target).to_owned()),
        });
        let config = grpc::ClientConfig {
            tls,
            token: self.token(),
            timeout: self.timeout()?,
            connect_timeout: self.connect_timeout(standard.connect_timeout)?,
            reconnect_attempts: self.reconnect_attempts.unwrap_or(standard.reconnect_attempts),
            reconnect_delay: seconds("reconnect_delay", self.reconnect_delay)?
                .unwrap_or(standard.reconnect_delay),
            ..standard
        };
        match config.shows_token() {
            true => Err(token_is_shown(&config.target, "set grpc.tls")),
            false => Ok(RemoteConfig::Grpc(config)),
        }
    }

    pub(super) fn http(
        &self,
        url: String,
        socket: Option<PathBuf>,
        tls: ClientTls,
        pooling: &Pooling,
    ) -> PyResult<RemoteConfig> {
        let connections = Connections {
            connect: self.connect_timeout(Connections::default().connect)?,
            write: duration("PLUGINS_HTTPX_WRITE_TIMEOUT", pooling.write)?,
            idle: pooling.idle,
            expiry: duration("PLUGINS_HTTPX_KEEPALIVE_EXPIRY", pooling.expiry)?,
        };
        let addresses = if pooling.public_only { Addresses::Public } else { Addresses::Any };
        let token = self.token();
        let http = Http { socket, tls, token, addresses, connections, ..Http::new(url) };
        let shows_token = http.shows_token();
        let endpoint = Endpoint::Http(http);
        match shows_token {
            true => Err(token_is_shown(&endpoint, "use https://…")),
            false => self.mcp(endpoint),
        }
    }

    pub(super) fn stdio(&self, program: Program) -> PyResult<RemoteConfig> {
        self.mcp(Endpoint::Stdio(program))
    }

    fn mcp(&self, endpoint: Endpoint) -> PyResult<RemoteConfig> {
        let standard = mcp::ClientConfig::new(endpoint);
        Ok(RemoteConfig::Mcp(mcp::ClientConfig {
            timeout: self.timeout()?,
            reconnect_attempts: self.reconnect_attempts.unwrap_or(standard.reconnect_attempts),
            reconnect_delay: seconds("reconnect_delay", self.reconnect_delay)?
                .unwrap_or(standard.reconnect_delay),
            calls: self.calls.unwrap_or(standard.calls),
            turn: seconds("PLUGINS_HTTPX_POOL_TIMEOUT", self.turn)?.unwrap_or(standard.turn),
            ..standard
        }))
    }

    pub(super) fn balance(&self, observer: Observer) -> PyResult<BalanceConfig> {
        let Breaker { failures, wait, longest_wait, successes } = self.breaker;
        let (wait, longest_wait) =
            (duration("breaker.wait", wait)?, duration("breaker.longest_wait", longest_wait)?);
        let health = |health: &Health| {
            let interval = duration("health_check.interval", health.interval)?;
            let timeout = duration("health_check.timeout", health.timeout)?;
            PyResult::Ok(HealthCheck { interval, timeout, misses: health.misses })
        };
        let repeat = |repeat: &Repeated| {
            let wait = duration("repeat.wait", repeat.wait)?;
            let hedge_after = seconds("repeat.hedge_after", repeat.hedge_after)?;
            PyResult::Ok(Repeat { retries: repeat.retries, wait, hedge_after })
        };
        Ok(BalanceConfig {
            breaker: BreakerConfig { failures, wait, longest_wait, successes },
            health: self.health_check.as_ref().map(health).transpose()?,
            repeat: self.repeat.as_ref().map(repeat).transpose()?,
            observer: Some(observer),
            ..BalanceConfig::default()
        })
    }

    fn timeout(&self) -> PyResult<Duration> {
        Ok(seconds("timeout", self.timeout)?.unwrap_or(Duration::MAX))
    }

    fn connect_timeout(&self, usual: Duration) -> PyResult<Duration> {
        Ok(seconds("connect_timeout", self.connect_timeout)?.unwrap_or(usual))
    }

    fn token(&self) -> Option<Secret> {
        self.token.as_ref().map(Secret::new)
    }
}

/// Others could read the token that goes there.
fn token_is_shown(place: &impl Display, remedy: &str) -> PyErr {
    PyValueError::new_err(format!("token: without TLS others can read it on its way to {place}: {remedy}"))
}

fn seconds(name: &str, given: Option<f64>) -> PyResult<Option<Duration>> {
    given.map(|seconds| duration(name, seconds)).transpose()
}

fn duration(name: &str, seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| PyValueError::new_err(format!("{name}: {seconds} is not a time in seconds")))
}
