//! A plugin on its servers, for a Python program.

use std::collections::HashMap;
use std::mem;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpex_remote::balance::{Answer, BalanceConfig, BalanceError, Balanced, Observer};
use cpex_remote::mcp::Endpoint;
use cpex_remote::tls::ClientTls;
use cpex_remote::wire::Announced;
use cpex_remote::{Call, Json, Outcome, RemoteConfig, RemoteError, Reply, task};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::time::{Instant, sleep, timeout_at};

use super::config::{Options, Pooling, Started, Tls};
use super::failure::{About, Shown, Transport, may_pass};
use super::tally::{KINDS, Tally};
use crate::events;
use crate::plugin_call::time_left;
use crate::remote::{self, Begun, Finish};

/// Before the second and the third attempt to reach a server for the first time.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

/// To reach a server for the first time, in all.
const PATIENCE: Duration = Duration::from_secs(30);

/// A larger call is written on the thread of the network, not while everybody waits for the interpreter.
const LARGE: usize = 64 * 1024;

/// A client of one plugin on one server or several.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct ExternalClient {
    about: Arc<About>,
    tally: Arc<Tally>,
    endpoints: Vec<RemoteConfig>,
    balance: BalanceConfig,
    /// Locked only by who holds the interpreter and does not let go of it meanwhile: it is free in a forked child.
    here: Mutex<Here>,
}

/// The connections of a process.
struct Here {
    process: u32,
    balanced: Arc<Balanced>,
}

impl Here {
    fn new(plugin: &str, endpoints: &[RemoteConfig], balance: &BalanceConfig) -> Self {
        let balanced = Balanced::with(plugin, endpoints.to_vec(), balance.clone());
        Self { process: process::id(), balanced: Arc::new(balanced) }
    }
}

impl ExternalClient {
    fn make(
        plugin: String,
        transport: Transport,
        endpoints: impl Iterator<Item = PyResult<RemoteConfig>>,
        options: &Options,
    ) -> PyResult<Self> {
        events::listen();
        let endpoints = endpoints.collect::<PyResult<Vec<_>>>()?;
        let tally = Arc::new(Tally::default());
        let noted = tally.clone();
        let balance = options.balance(Observer::new(move |event| noted.note(event)))?;
        let here = Mutex::new(Here::new(&plugin, &endpoints, &balance));
        let targets = endpoints.iter().map(RemoteConfig::target).collect::<Vec<_>>().join(", ");
        let shown = endpoints.first().map_or(Shown::NoTls, shown);
        let about = Arc::new(About { plugin, transport, targets, shown });
        Ok(Self { about, tally, endpoints, balance, here })
    }

    /// The connections of this process. Those that it was forked with are the parent's, and so is what drives them.
    fn balanced(&self) -> Arc<Balanced> {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        if here.process != process::id() {
            let new = Here::new(&self.about.plugin, &self.endpoints, &self.balance);
            mem::forget(mem::replace(&mut *here, new));
        }
        here.balanced.clone()
    }
}

#[pymethods]
impl ExternalClient {
    #[staticmethod]
    fn unix(plugin: String, paths: Vec<PathBuf>, options: Options) -> PyResult<Self> {
        let endpoints = paths.into_iter().map(|path| options.unix(path));
        Self::make(plugin, Transport::Unix, endpoints, &options)
    }

    #[staticmethod]
    fn grpc(plugin: String, targets: Vec<String>, tls: Option<Tls>, options: Options) -> PyResult<Self> {
        let tls = tls.map(ClientTls::from);
        if let Some(tls) = &tls {
            check(&plugin, tls)?;
        }
        let endpoints = targets.iter().map(|target| options.grpc(target, tls.clone()));
        Self::make(plugin, Transport::Grpc, endpoints, &options)
    }

    #[staticmethod]
    fn http(
        plugin: String,
        urls: Vec<String>,
        uds: Option<PathBuf>,
        tls: Tls,
        pooling: Pooling,
        options: Options,
    ) -> PyResult<Self> {
        let tls = ClientTls::from(tls);
        if urls.iter().any(|url| url.starts_with("https:")) {
            check(&plugin, &tls)?;
        }
        let endpoints = urls.into_iter().map(|url| options.http(url, uds.clone(), tls.clone(), &pooling));
        Self::make(plugin, Transport::Http, endpoints, &options)
    }

    #[staticmethod]
    fn stdio(plugin: String, server: Started, options: Options) -> PyResult<Self> {
        let endpoint = options.stdio(server.into());
        Self::make(plugin, Transport::Stdio, [endpoint].into_iter(), &options)
    }

    /// Reaches a server for the first time: its configuration of the plugin as JSON, or None if it has none, and whether it
    /// understands extensions.
    fn connect<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (balanced, about) = (self.balanced(), self.about.clone());
        let asked = about.clone();
        let asking = async move { ask_for_config(&balanced, &asked).await };
        awaitable(py, asking, move |py, asked| match asked {
            Ok(Announced { config, features }) => {
                let config = config.as_ref().map(|config| bytes(py, config));
                Ok((config, features.extensions).into_pyobject(py)?.into_any().unbind())
            }
            Err((error, attempts)) => Err(about.no_connection(py, &error, attempts)),
        })
    }

    /// Runs a hook: its result and, if one came back, the context, both as JSON; and whether the server understands
    /// extensions, without which it was not sent any.
    fn invoke<'py>(
        &self,
        py: Python<'py>,
        hook: String,
        payload: &Bound<'py, PyBytes>,
        context: &Bound<'py, PyBytes>,
        extensions: Option<&Bound<'py, PyBytes>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let extensions = extensions.map(json).transpose()?;
        let call = Call::new(hook, &*self.about.plugin, json(payload)?, json(context)?);
        let call = Call { extensions, patience: time_left(), ..call };
        let (balanced, about) = (self.balanced(), self.about.clone());
        let asking = async move {
            if call.payload.as_str().len() + call.context.as_str().len() > LARGE {
                task::leave().await;
            }
            balanced.ask(&call).await
        };
        awaitable(py, asking, move |py, answered| match answered {
            Ok(Answer { reply: Reply { outcome: Outcome::Result(result), context, .. }, server, .. }) => {
                let context = context.as_ref().map(|context| bytes(py, context));
                let answer = (bytes(py, &result), context, server.extensions);
                Ok(answer.into_pyobject(py)?.into_any().unbind())
            }
            Ok(Answer { reply: Reply { outcome: Outcome::Error(error), .. }, .. }) => {
                Err(about.plugin_failed(py, &error))
            }
            Err(error) => Err(about.no_answer(py, &error)),
        })
    }

    /// Of each server: where it is, what is done with calls for it, how many are under way, whether it does not answer
    /// health checks, and what has happened so far.
    fn status(&self) -> Vec<HashMap<&'static str, Value>> {
        let servers = self.balanced().status().into_iter();
        servers
            .map(|server| {
                let counts = KINDS.into_iter().zip(self.tally.of(&server.target).map(Value::Count));
                let state = [
                    ("breaker", Value::Text(server.state.to_string())),
                    ("outstanding", Value::Count(server.outstanding as u64)),
                    ("silent", Value::Flag(server.silent)),
                    ("target", Value::Text(server.target)),
                ];
                state.into_iter().chain(counts).collect()
            })
            .collect()
    }

    /// Says goodbye to the servers.
    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let balanced = self.balanced();
        awaitable(py, async move { balanced.close().await }, |py, ()| Ok(py.None()))
    }
}

#[derive(IntoPyObject)]
enum Value {
    Text(String),
    Count(u64),
    Flag(bool),
}

/// What to await; what it would come to, if that is known at once.
fn awaitable<'py, T: Send + 'static>(
    py: Python<'py>,
    future: impl Future<Output = T> + Send + 'static,
    finish: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    let future = async move {
        let ended = future.await;
        Box::new(move |py: Python<'_>| finish(py, ended)) as Finish
    };
    match remote::begin(py, Box::pin(future))? {
        Begun::Ended(object) => object,
        Begun::Waits(awaitable) => Ok(awaitable),
    }
}

/// Asks until there is an answer; with an error, how often it has asked.
async fn ask_for_config(balanced: &Balanced, about: &About) -> Result<Announced, (BalanceError, usize)> {
    let transport = about.transport;
    let waits = if matches!(transport, Transport::Grpc | Transport::Http) { &WAITS[..] } else { &[] };
    let (mut attempts, ends) = (0, Instant::now() + PATIENCE);
    loop {
        attempts += 1;
        let asked = timeout_at(ends, balanced.announced()).await;
        let late =
            || BalanceError::Remote { target: about.targets.clone(), error: RemoteError::TimedOut(PATIENCE) };
        let error = match asked.unwrap_or_else(|_| Err(late())) {
            Ok(announced) => return Ok(announced),
            Err(error) => error,
        };
        match waits.get(attempts - 1) {
            Some(wait) if may_pass(&error) && Instant::now() + *wait < ends => sleep(*wait).await,
            // A server on a Unix socket need not say what it knows.
            _ if transport == Transport::Unix && !may_pass(&error) => return Ok(Announced::default()),
            _ => return Err((error, attempts)),
        }
    }
}

fn shown(endpoint: &RemoteConfig) -> Shown {
    let tls = match endpoint {
        RemoteConfig::Grpc(config) => config.tls.as_ref(),
        RemoteConfig::Mcp(config) => match &config.endpoint {
            Endpoint::Http(http) => http.url.starts_with("https:").then_some(&http.tls),
            Endpoint::Stdio(_) => None,
        },
        _ => None,
    };
    match tls.map(|tls| tls.identity.is_some()) {
        None => Shown::NoTls,
        Some(false) => Shown::NoCertificate,
        Some(true) => Shown::Certificate,
    }
}

/// Certificates and keys that cannot be used are told at once, not at the first handshake.
fn check(plugin: &str, tls: &ClientTls) -> PyResult<()> {
    tls.load(&[]).map(drop).map_err(|error| {
        PyValueError::new_err(format!("Failed to configure SSL context for plugin '{plugin}': {error}"))
    })
}

fn json(text: &Bound<'_, PyBytes>) -> PyResult<Json> {
    let wrong = |error: &dyn std::error::Error| PyValueError::new_err(error.to_string());
    let text = std::str::from_utf8(text.as_bytes()).map_err(|error| wrong(&error))?;
    Json::new(text).map_err(|error| wrong(&error))
}

fn bytes<'py>(py: Python<'py>, json: &Json) -> Bound<'py, PyBytes> {
    PyBytes::new(py, json.as_str().as_bytes())
}
