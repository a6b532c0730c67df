//! Servers that share an inbox.

use std::mem;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpex_remote::Json;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::backend::{Patience, Plugins, Served};
use super::call::PluginCall;
use super::inbox::{Found, Inbox};
use super::listen::{Listen, Listening};
use super::meters::{self, Meters};
use crate::remote::{Finish, spawn};

/// Servers of one process, and the inbox that their calls come into.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct PluginService {
    inbox: Arc<Inbox>,
    bound: Arc<Mutex<Waiting>>,
    stopping: watch::Sender<bool>,
    patience: Patience,
}

#[derive(Default)]
struct Waiting {
    servers: Vec<Listening>,
    info: Vec<meters::Listening>,
}

#[pymethods]
impl PluginService {
    /// `ready` and `alive` are for how many seconds calls may wait for the event loop until this is not ready for any
    /// more, and until its health fails.
    #[new]
    fn new(ready: f64, alive: f64) -> PyResult<Self> {
        Ok(Self {
            inbox: Arc::new(Inbox::new()?),
            bound: Arc::default(),
            stopping: watch::Sender::new(false),
            patience: Patience { ready: seconds(ready)?, alive: seconds(alive)? },
        })
    }

    /// The descriptor that is readable when calls wait.
    fn fileno(&self) -> RawFd {
        self.inbox.fd()
    }

    /// The calls that have come in, the ids of those taken before that nobody waits for any more, and lines for the log.
    fn take(&self) -> (Vec<PluginCall>, Vec<u64>, Vec<(u8, String)>) {
        let Found { calls, abandoned, lines } = self.inbox.take();
        let calls = calls.into_iter().map(|asked| PluginCall::new(asked, self.inbox.clone()));
        let lines = lines.into_iter().map(|(level, line)| (level as u8, line));
        (calls.collect(), abandoned, lines.collect())
    }

    /// Begins to listen; to be awaited. Comes to the address, `None` for the standard streams.
    fn bind<'py>(&self, py: Python<'py>, listen: Listen) -> PyResult<Awaitable<'py>> {
        let bound = self.bound.clone();
        let info = listen.info();
        spawn(
            py,
            Box::pin(async move {
                let listening = listen.bind().await.map(|listening| {
                    let address = listening.address();
                    let mut bound = bound.lock().unwrap_or_else(PoisonError::into_inner);
                    bound.servers.push(listening);
                    bound.info.extend(info);
                    address
                });
                let finish: Finish =
                    Box::new(move |py| Ok(listening?.into_pyobject(py)?.into_any().unbind()));
                finish
            }),
        )
    }

    /// Serves on all that listen until [`stop`](Self::stop), or until the other end of the standard streams is gone; to
    /// be awaited.
    ///
    /// `configs` are the plugins' names and configurations (JSON), `hooks` what is measured: plugin and hook.
    fn serve<'py>(
        &self,
        py: Python<'py>,
        configs: Vec<(String, String)>,
        hooks: Vec<(String, String)>,
        metrics: bool,
    ) -> PyResult<Awaitable<'py>> {
        let Waiting { servers, info } =
            mem::take(&mut *self.bound.lock().unwrap_or_else(PoisonError::into_inner));
        let configs: PyResult<Vec<_>> = configs
            .into_iter()
            .map(|(name, config)| {
                let config = Json::new(config).map_err(|error| PyValueError::new_err(error.to_string()))?;
                Ok(Served { name: name.to_lowercase(), config })
            })
            .collect();
        let plugins = Arc::new(Plugins {
            inbox: self.inbox.clone(),
            configs: configs?,
            meters: Meters::new(info, hooks),
            shows_metrics: metrics,
            patience: self.patience,
            stopping: self.stopping.subscribe(),
        });
        let stopping = self.stopping.clone();
        spawn(
            py,
            Box::pin(async move {
                let ended = serve(servers, plugins, stopping).await;
                let finish: Finish = Box::new(move |py| ended.map(|()| py.None()));
                finish
            }),
        )
    }

    /// Takes no more calls. Those under way may finish for a while; then what was to be awaited ends. Until then, servers
    /// of status say that this is not ready.
    fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

fn seconds(number: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(number).map_err(|error| PyValueError::new_err(error.to_string()))
}

type Awaitable<'py> = Bound<'py, PyAny>;

/// Calls that come while the servers drain are answered; later ones have nobody who takes them.
struct Open(Arc<Inbox>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn serve(
    servers: Vec<Listening>,
    plugins: Arc<Plugins>,
    stopping: watch::Sender<bool>,
) -> PyResult<()> {
    let _open = Open(plugins.inbox.clone());
    let mut serving = JoinSet::new();
    // Each server of calls holds a receiver.
    let taking_calls = Arc::new(watch::Sender::new(()));
    for server in servers {
        let mut stopped = stopping.subscribe();
        let open = (!matches!(server, Listening::Status(_))).then(|| taking_calls.subscribe());
        let others = open.is_none().then(|| taking_calls.clone());
        let stop = async move {
            // The sender outlives the servers.
            let _ = stopped.wait_for(|stopped| *stopped).await;
            if let Some(others) = others {
                others.closed().await;
            }
        };
        let plugins = plugins.clone();
        serving.spawn(async move {
            let _open = open;
            server.serve(plugins, stop).await
        });
    }
    let mut ended = Ok(());
    while let Some(one) = serving.join_next().await {
        // One that ends by itself takes the others with it.
        stopping.send_replace(true);
        match one {
            Ok(Ok(())) => {}
            Ok(Err(error)) => ended = Err(PyOSError::new_err(error.to_string())),
            Err(_) => ended = Err(PyRuntimeError::new_err("a server has panicked")),
        }
    }
    ended
}
