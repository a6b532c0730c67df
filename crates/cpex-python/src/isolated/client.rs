//! A plugin in its workers, for a Python program.

use std::collections::HashMap;
use std::mem;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpex_isolated::worker::{
    Answer, Call, Caller, Message, NETWORK, Reader, Worker, WorkerError, Workers, WorkersConfig, caller,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::config::Options;
use super::failure::{no_answer, no_reply, plugin_failed};
use super::reading::Home;
use crate::events;
use crate::remote::{Begun, Finish, Running, begin, promise};

/// A call that found its worker gone was not sent; it goes to the next one, so often.
const TRIES: usize = 3;

/// The workers of one plugin.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct IsolatedClient {
    plugin: Arc<str>,
    config: WorkersConfig,
    /// Locked only by who holds the interpreter and does not let go of it meanwhile: it is free in a forked child.
    here: Mutex<Here>,
}

/// The workers of a process.
struct Here {
    process: u32,
    workers: Arc<Workers>,
    home: Arc<Home>,
}

impl Here {
    fn new(config: &WorkersConfig) -> Self {
        Self { process: process::id(), workers: Arc::new(Workers::new(config.clone())), home: Arc::default() }
    }
}

/// A task of an event loop that waits for an answer.
struct Waiter {
    running: Running,
    plugin: Arc<str>,
}

impl Caller for Waiter {
    fn answer(self: Box<Self>, answer: Result<Answer, WorkerError>, by: Reader) {
        let Self { running, plugin } = *self;
        let on = Some(by).filter(|by| *by != NETWORK);
        running.end(Box::new(move |py| finished(py, &plugin, answer)), on);
    }
}

impl IsolatedClient {
    /// The workers of this process. Those that it was forked with are the parent's, and so is what drives them.
    fn here<T>(&self, look: impl FnOnce(&mut Here) -> T) -> T {
        let mut here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        if here.process != process::id() {
            mem::forget(mem::replace(&mut *here, Here::new(&self.config)));
        }
        look(&mut here)
    }

    fn workers(&self) -> Arc<Workers> {
        self.here(|here| here.workers.clone())
    }

    /// Asks a worker that runs, if there is one. The call was not sent if it turns out that there is none.
    fn ask<'py>(
        &self,
        py: Python<'py>,
        worker: &Arc<Worker>,
        home: &Home,
        call: Call<'_>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (promised, running) = promise(py)?;
        home.read(py, worker, promised.event_loop())?;
        let waiter = Waiter { running, plugin: self.plugin.clone() };
        match worker.call(call, Box::new(waiter)) {
            Ok(asked) => promised.awaitable(py, asked).map(Some),
            Err((_, WorkerError::Died(_))) => Ok(None),
            Err((_, error)) => Err(no_answer(py, &self.plugin, &error)),
        }
    }
}

#[pymethods]
impl IsolatedClient {
    /// `hello` is what workers are told of the plugin: an object, as JSON.
    #[new]
    fn new(plugin: String, hello: Vec<u8>, options: Options) -> PyResult<Self> {
        events::listen();
        let config = options.config(&plugin, hello)?;
        let here = Mutex::new(Here::new(&config));
        Ok(Self { plugin: plugin.into(), config, here })
    }

    /// Starts the workers, which load the plugin: what the last of them says of itself, as JSON.
    fn start<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (workers, plugin) = (self.workers(), self.plugin.clone());
        let starting = async move {
            let started = workers.start().await;
            let finish: Finish = Box::new(move |py| match started {
                Ok(worker) => Ok(PyBytes::new(py, worker.ready()).into_any().unbind()),
                Err(error) => Err(no_answer(py, &plugin, &error)),
            });
            finish
        };
        awaitable(py, starting)
    }

    /// Runs a hook: its result and, if it is not as it was, the context, both as JSON; and that the worker understands
    /// extensions.
    #[pyo3(signature = (hook, payload, context, extensions=None, deadline=None))]
    fn invoke<'py>(
        &self,
        py: Python<'py>,
        hook: &str,
        payload: &Bound<'py, PyBytes>,
        context: &Bound<'py, PyBytes>,
        extensions: Option<&Bound<'py, PyBytes>>,
        deadline: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let deadline = deadline
            .map(|seconds| {
                Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))
            })
            .transpose()?;
        let call = Call {
            hook,
            payload: payload.as_bytes(),
            context: context.as_bytes(),
            extensions: extensions.map(PyBytesMethods::as_bytes),
            deadline,
        };
        let (workers, home) = self.here(|here| (here.workers.clone(), here.home.clone()));
        if let Some(worker) = workers.running()
            && let Some(awaitable) = self.ask(py, &worker, &home, call)?
        {
            return Ok(awaitable);
        }
        let later = Later::of(&call);
        let plugin = self.plugin.clone();
        awaitable(py, async move {
            let answer = later.ask(&workers).await;
            let finish: Finish = Box::new(move |py| finished(py, &plugin, answer));
            finish
        })
    }

    /// Of each worker: the process, what is done when it has to be started, calls under way, and what has happened so far.
    fn status(&self) -> Vec<HashMap<&'static str, Value>> {
        let workers = self.workers().status().into_iter();
        workers
            .map(|worker| {
                HashMap::from([
                    ("process", Value::Process(worker.process)),
                    ("breaker", Value::Text(worker.breaker.to_string())),
                    ("outstanding", Value::Count(worker.outstanding as u64)),
                    ("calls", Value::Count(worker.calls)),
                    ("starts", Value::Count(worker.starts)),
                    ("faults", Value::Count(worker.faults)),
                    ("opened", Value::Count(worker.changes.opened)),
                    ("half_opened", Value::Count(worker.changes.half_opened)),
                    ("closed", Value::Count(worker.changes.closed)),
                ])
            })
            .collect()
    }

    /// Ends the workers, and does not wait for that.
    fn kill(&self) {
        self.workers().finish();
    }

    /// Ends the workers; to be awaited.
    fn close<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let workers = self.workers();
        awaitable(py, async move {
            workers.close().await;
            let finish: Finish = Box::new(|py| Ok(py.None()));
            finish
        })
    }
}

/// A call that has to wait for a worker.
struct Later {
    hook: String,
    payload: Vec<u8>,
    context: Vec<u8>,
    extensions: Option<Vec<u8>>,
    deadline: Option<Duration>,
}

impl Later {
    fn of(call: &Call<'_>) -> Self {
        Self {
            hook: call.hook.to_owned(),
            payload: call.payload.to_vec(),
            context: call.context.to_vec(),
            extensions: call.extensions.map(<[u8]>::to_vec),
            deadline: call.deadline,
        }
    }

    async fn ask(self, workers: &Workers) -> Result<Answer, WorkerError> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let worker = workers.worker().await?;
            let (caller, answer) = caller();
            let call = Call {
                hook: &self.hook,
                payload: &self.payload,
                context: &self.context,
                extensions: self.extensions.as_deref(),
                deadline: self.deadline,
            };
            match worker.call(call, caller) {
                Ok(_asked) => return answer.await.unwrap_or_else(|_| Err(gone())),
                // Nobody may have noticed yet.
                Err((_, WorkerError::Died(_))) if tries > 0 => worker.over().await,
                Err((_, error)) => return Err(error),
            }
        }
    }
}

fn gone() -> WorkerError {
    WorkerError::Died(cpex_isolated::worker::Ended::Asked)
}

#[derive(IntoPyObject)]
enum Value {
    Text(String),
    Count(u64),
    Process(Option<u32>),
}

/// What the caller gets.
fn finished(py: Python<'_>, plugin: &str, answer: Result<Answer, WorkerError>) -> PyResult<Py<PyAny>> {
    let answer = answer.map_err(|error| no_answer(py, plugin, &error))?;
    match answer.message() {
        Message::Reply { result, context } => {
            let context = context.map(|context| PyBytes::new(py, context));
            Ok((PyBytes::new(py, result), context, true).into_pyobject(py)?.into_any().unbind())
        }
        Message::Failed(error) => Err(plugin_failed(py, plugin, error)),
        _ => Err(no_reply(py, plugin)),
    }
}

/// What to await; what it would come to, if that is known at once.
fn awaitable<'py>(
    py: Python<'py>,
    future: impl Future<Output = Finish> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>> {
    match begin(py, Box::pin(future))? {
        Begun::Ended(object) => object,
        Begun::Waits(awaitable) => Ok(awaitable),
    }
}
