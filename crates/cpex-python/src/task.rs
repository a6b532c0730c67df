//! A plugin call as a coroutine of its own, for an asyncio task to run.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::detached::Background;
use crate::plugin_call::{Input, PluginCall, Step, is_cancellation};

/// How a call in a task ended.
pub(crate) enum Ended {
    Returned(Py<PyAny>),
    Raised(PyErr),
    TimedOut,
}

/// What to call once the task runs.
pub(crate) struct Job {
    pub(crate) function: Py<PyAny>,
    pub(crate) arguments: Py<pyo3::types::PyTuple>,
    pub(crate) limit: Option<Duration>,
}

/// Who learns how it ended.
pub(crate) enum Purpose {
    /// The pipeline that waits for it, through [`PluginTask::take_ending`].
    Awaited,
    /// Nobody: it judges itself.
    Background(Background),
}

enum State {
    Due(Job),
    /// Waits for its turn in a full pool.
    Queued(Job, PluginCall),
    Running(PluginCall),
    /// A step is under way.
    Busy,
    Ended(Option<Ended>),
}

/// A coroutine that calls a plugin, steps what it returned, and keeps the end of it.
#[pyclass(frozen)]
pub(crate) struct PluginTask {
    name: String,
    state: Mutex<State>,
    purpose: Purpose,
}

impl PluginTask {
    pub(crate) fn new(name: String, job: Job, purpose: Purpose) -> Self {
        Self { name, state: Mutex::new(State::Due(job)), purpose }
    }

    /// How it ended; `None` if it was cancelled before it began.
    pub(crate) fn take_ending(&self) -> Option<Ended> {
        match &mut *self.lock() {
            State::Ended(ended) => ended.take(),
            _ => None,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step<'py>(&self, py: Python<'py>, input: Input<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let state = std::mem::replace(&mut *self.lock(), State::Busy);
        let step = match state {
            State::Due(job) => match (input, &self.purpose) {
                (Input::Throw(exception), _) => Step::Raised(PyErr::from_value(exception)),
                (Input::Send | Input::Answer(_), Purpose::Background(background)) => {
                    match background.acquire(py) {
                        Ok(None) => return self.launch(py, job),
                        Ok(Some(mut turn)) => {
                            let step = turn.start(py);
                            return self.queue(py, job, turn, step);
                        }
                        Err(error) => Step::Raised(error),
                    }
                }
                (Input::Send | Input::Answer(_), Purpose::Awaited) => return self.launch(py, job),
            },
            State::Queued(job, mut turn) => {
                let step = turn.resume(py, input);
                return self.queue(py, job, turn, step);
            }
            State::Running(mut call) => {
                let step = call.resume(py, input);
                return self.settle(py, call, step);
            }
            State::Busy => return Err(PyRuntimeError::new_err("plugin call is already running")),
            State::Ended(ended) => {
                *self.lock() = State::Ended(ended);
                return Err(PyRuntimeError::new_err("cannot reuse an ended plugin call"));
            }
        };
        self.end(py, step)
    }

    fn queue<'py>(
        &self,
        py: Python<'py>,
        job: Job,
        turn: PluginCall,
        step: Step<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match step {
            Step::Yielded(value) => {
                *self.lock() = State::Queued(job, turn);
                Ok(Some(value))
            }
            Step::Returned(_) => self.launch(py, job),
            raised => self.end(py, raised),
        }
    }

    fn launch<'py>(&self, py: Python<'py>, job: Job) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Purpose::Background(background) = &self.purpose {
            background.launched(py);
        }
        let started = Instant::now();
        let call = job
            .function
            .bind(py)
            .call1(job.arguments.bind(py))
            .and_then(|awaitable| PluginCall::new(awaitable, started, job.limit));
        match call {
            Ok(mut call) => {
                let step = call.start(py);
                self.settle(py, call, step)
            }
            Err(error) => self.end(py, Step::Raised(error)),
        }
    }

    fn settle<'py>(
        &self,
        py: Python<'py>,
        call: PluginCall,
        step: Step<'py>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Step::Yielded(value) = step {
            *self.lock() = State::Running(call);
            return Ok(Some(value));
        }
        self.end(py, step)
    }

    fn end<'py>(&self, py: Python<'py>, step: Step<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let ended = match step {
            Step::Returned(value) | Step::Yielded(value) => Ended::Returned(value.unbind()),
            Step::Raised(error) => Ended::Raised(error),
            Step::TimedOut => Ended::TimedOut,
        };
        let cancelled = match &ended {
            Ended::Raised(error) if is_cancellation(py, error) => Some(error.clone_ref(py)),
            _ => None,
        };
        if let Purpose::Background(background) = &self.purpose {
            *self.lock() = State::Ended(None);
            background.release(py)?;
            return Err(PyStopIteration::new_err((background.conclude(py, ended)?.unbind(),)));
        }
        *self.lock() = State::Ended(Some(ended));
        // The task counts as cancelled, too; any other end is told by `take_ending`.
        cancelled.map_or(Ok(None), Err)
    }
}

#[pymethods]
impl PluginTask {
    #[getter]
    fn __name__(&self) -> &str {
        &self.name
    }

    #[getter]
    fn __qualname__(&self) -> &str {
        &self.name
    }

    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.step(py, Input::Send)
    }

    fn send<'py>(&self, py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.step(py, Input::answer(value))?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (typ, val=None, tb=None))]
    fn throw<'py>(
        &self,
        py: Python<'py>,
        typ: Bound<'py, PyAny>,
        val: Option<Bound<'py, PyAny>>,
        tb: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let exception = thrown(typ, val, tb)?;
        self.step(py, Input::Throw(exception))?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let state = std::mem::replace(&mut *self.lock(), State::Ended(None));
        match state {
            State::Queued(_, mut call) | State::Running(mut call) => call.close(py),
            State::Busy => Err(PyRuntimeError::new_err("plugin call is already running")),
            State::Due(_) | State::Ended(_) => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Purpose::Background(background) = &self.purpose {
            background.traverse(&visit)?;
        }
        let Ok(state) = self.state.try_lock() else { return Ok(()) };
        match &*state {
            State::Due(job) => {
                visit.call(&job.function)?;
                visit.call(&job.arguments)
            }
            State::Queued(job, call) => {
                visit.call(&job.function)?;
                visit.call(&job.arguments)?;
                call.traverse(&visit)
            }
            State::Running(call) => call.traverse(&visit),
            State::Ended(Some(Ended::Returned(value))) => visit.call(value),
            State::Busy | State::Ended(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        // Dropped after the lock is released: what is dropped may run Python code that comes back here.
        let over = State::Ended(None);
        let dropped = self.state.try_lock().ok().map(|mut state| std::mem::replace(&mut *state, over));
        drop(dropped);
    }
}

/// What leaves a coroutine when this is raised in it: a `StopIteration` would be taken for its result.
pub(crate) fn raised(py: Python<'_>, error: PyErr) -> PyErr {
    if !error.is_instance_of::<PyStopIteration>(py) {
        return error;
    }
    let instead = PyRuntimeError::new_err("coroutine raised StopIteration");
    instead.set_cause(py, Some(error));
    instead
}

/// The exception that a `throw(type, value, traceback)` or `throw(exception)` means.
pub(crate) fn thrown<'py>(
    typ: Bound<'py, PyAny>,
    val: Option<Bound<'py, PyAny>>,
    tb: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = typ.py();
    let exception = match val {
        Some(val) if val.is_instance_of::<pyo3::exceptions::PyBaseException>() => val,
        _ if typ.is_instance_of::<pyo3::exceptions::PyBaseException>() => typ,
        Some(val) if !val.is_none() => typ.call1((val,))?,
        _ => typ.call0()?,
    };
    match tb {
        Some(tb) if !tb.is_none() => exception.call_method1(intern!(py, "with_traceback"), (tb,)),
        _ => Ok(exception),
    }
}
