//! A future under way, as an awaitable.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::mailbox::{Doorbell, LoopId};
use super::{Finish, Remote};
use crate::task::{raised, thrown};

/// A future under way in the runtime. It answers to what asyncio asks of a coroutine.
#[pyclass(frozen)]
pub(super) struct RemoteCall(Mutex<State>);

enum State {
    Waiting(Waiting),
    Over,
}

/// The end that waits. Dropping it drops the future.
struct Waiting {
    waiter: Py<PyAny>,
    answer: Arc<Mutex<Answer>>,
    /// Dropped last: whoever else runs it is told so.
    _work: Work,
}

/// What is waited for; dropping it gives it up.
enum Work {
    Task(AbortHandle),
    Other { _guard: Box<dyn Send> },
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

/// What lies between the end that runs and the end that waits.
enum Answer {
    /// The future runs.
    Due,
    Given(Finish),
    /// The future was dropped: it panicked, or the runtime was stopped.
    Lost,
    /// Nobody waits any more.
    Unwanted,
}

/// The end that runs: whatever happens to it, the other end hears of it.
pub(crate) struct Running {
    answer: Arc<Mutex<Answer>>,
    bell: Option<Doorbell>,
}

/// The end that waits, before it is known for what.
pub(crate) struct Promised<'py> {
    waiter: Bound<'py, PyAny>,
    answer: Arc<Mutex<Answer>>,
}

/// Two ends, on the running event loop.
///
/// # Errors
/// `RuntimeError` if no event loop runs that has futures.
pub(crate) fn promise(py: Python<'_>) -> PyResult<(Promised<'_>, Running)> {
    let (waiter, bell) = Doorbell::new(py)?;
    let answer = Arc::new(Mutex::new(Answer::Due));
    let running = Running { answer: Arc::clone(&answer), bell: Some(bell) };
    Ok((Promised { waiter, answer }, running))
}

impl<'py> Promised<'py> {
    /// What to await. Dropping it drops `guard`, which gives the work up.
    pub(crate) fn awaitable(self, guard: impl Send + 'static) -> PyResult<Bound<'py, PyAny>> {
        RemoteCall::new(self, Work::Other { _guard: Box::new(guard) }).map(Bound::into_any)
    }
}

impl Running {
    /// This is what it has come to. `on` is the event loop that says so, if one does.
    pub(crate) fn end(mut self, finish: Finish, on: Option<LoopId>) {
        self.give(Answer::Given(finish), on);
    }

    /// The event loop that waits.
    pub(crate) fn event_loop(&self) -> Option<LoopId> {
        self.bell.as_ref().map(Doorbell::event_loop)
    }

    fn give(&mut self, answer: Answer, on: Option<LoopId>) {
        let Some(bell) = self.bell.take() else { return };
        let before = {
            let mut slot = lock(&self.answer);
            if matches!(*slot, Answer::Unwanted) {
                return;
            }
            mem::replace(&mut *slot, answer)
        };
        drop(before);
        bell.ring(on);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.give(Answer::Lost, None);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let before = mem::replace(&mut *lock(&self.answer), Answer::Unwanted);
        drop(before);
    }
}

fn lock(answer: &Mutex<Answer>) -> MutexGuard<'_, Answer> {
    answer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RemoteCall {
    /// Gives a future to the runtime.
    pub(super) fn start<'py>(
        py: Python<'py>,
        runtime: &Handle,
        future: Remote,
    ) -> PyResult<Bound<'py, Self>> {
        let (promised, mut running) = promise(py)?;
        let task = runtime.spawn(async move { running.give(Answer::Given(future.await), None) });
        Self::new(promised, Work::Task(task.abort_handle()))
    }

    fn new<'py>(Promised { waiter, answer }: Promised<'py>, work: Work) -> PyResult<Bound<'py, Self>> {
        let py = waiter.py();
        let waiting = Waiting { waiter: waiter.unbind(), answer, _work: work };
        Bound::new(py, Self(Mutex::new(State::Waiting(waiting))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to wait for, or `StopIteration` with what it has come to.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let waiter = match &*self.lock() {
            State::Waiting(waiting) => match &*lock(&waiting.answer) {
                Answer::Due => Some(waiting.waiter.bind(py).clone()),
                Answer::Given(_) | Answer::Lost | Answer::Unwanted => None,
            },
            State::Over => return Err(PyRuntimeError::new_err("cannot reuse already awaited call")),
        };
        if let Some(waiter) = waiter {
            // What asyncio's own `await future` says to the task.
            waiter.setattr(intern!(py, "_asyncio_future_blocking"), true)?;
            return Ok(waiter);
        }
        let answer = match self.end() {
            Some(waiting) => mem::replace(&mut *lock(&waiting.answer), Answer::Unwanted),
            None => Answer::Lost,
        };
        match answer {
            Answer::Given(finish) => match finish(py) {
                Ok(object) => Err(PyStopIteration::new_err((object,))),
                Err(error) => Err(raised(py, error)),
            },
            Answer::Lost | Answer::Due | Answer::Unwanted => Err(PyRuntimeError::new_err(
                "there will be no answer: what was waited for has panicked, or the interpreter ends",
            )),
        }
    }

    /// It is over; what is left of it is dropped outside the lock.
    fn end(&self) -> Option<Waiting> {
        match mem::replace(&mut *self.lock(), State::Over) {
            State::Waiting(waiting) => Some(waiting),
            State::Over => None,
        }
    }
}

#[pymethods]
impl RemoteCall {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.step(py)
    }

    fn send<'py>(&self, py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let _ = value;
        self.step(py)
    }

    #[pyo3(signature = (typ, val=None, tb=None))]
    fn throw<'py>(
        &self,
        typ: Bound<'py, PyAny>,
        val: Option<Bound<'py, PyAny>>,
        tb: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = typ.py();
        let exception = PyErr::from_value(thrown(typ, val, tb)?);
        drop(self.end());
        Err(raised(py, exception))
    }

    fn close(&self) {
        drop(self.end());
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.try_lock().as_deref() {
            Ok(State::Waiting(waiting)) => visit.call(&waiting.waiter),
            Ok(State::Over) | Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let dropped = self.0.try_lock().ok().map(|mut state| mem::replace(&mut *state, State::Over));
        drop(dropped);
    }
}
