//! A future under way, as an awaitable.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cpex_remote::task::{self, Task};
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use tokio::runtime::Handle;

use super::mailbox::{Doorbell, Waiter};
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
    waiter: Waiter,
    under_way: UnderWay,
}

/// A future that was given to the runtime. Dropping it drops the future.
pub(super) struct UnderWay {
    answer: Arc<Slot>,
    _task: Task<()>,
    _counted: Option<Counted>,
}

/// One of the futures that began where somebody waits for them. In a forked child those of the parent count as well:
/// its own go the way of several.
struct Counted;

static COUNTED: AtomicUsize = AtomicUsize::new(0);

impl Counted {
    /// And how many there were before.
    fn new() -> (Self, usize) {
        (Self, COUNTED.fetch_add(1, Ordering::Relaxed))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        COUNTED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What lies between the end that runs and the end that waits.
struct Slot(Mutex<Answer>);

enum Answer {
    /// The future runs; who is to be told when it has ended.
    Due(Option<Doorbell>),
    Given(Finish),
    /// The future was dropped: it panicked, or the runtime was stopped.
    Lost,
    Taken,
}

/// The end that runs: whatever happens to the future, the other end hears of it.
struct Running(Arc<Slot>);

impl Running {
    fn give(&self, answer: Answer) {
        let mut slot = self.0.lock();
        if let Answer::Due(bell) = &mut *slot {
            let bell = bell.take();
            *slot = answer;
            drop(slot);
            if let Some(bell) = bell {
                bell.ring();
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.give(Answer::Lost);
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Answer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_due(&self) -> bool {
        matches!(*self.lock(), Answer::Due(_))
    }

    /// Has the bell rung when the future ends. One that has ended already needs none.
    fn tell(&self, bell: Doorbell) {
        if let Answer::Due(told) = &mut *self.lock() {
            *told = Some(bell);
        }
    }
}

impl UnderWay {
    /// Gives a future to the runtime, and takes its first steps here; those of what it wakes, too, unless others are
    /// under way, with which they go together.
    pub(super) fn begin(runtime: &Handle, future: Remote) -> Self {
        let (counted, others) = Counted::new();
        let patience = if others == 0 { task::PATIENT } else { 1 };
        let under_way = task::lend(runtime, patience, || Self::spawn(future));
        Self { _counted: Some(counted), ..under_way }
    }

    /// Gives a future to the current runtime.
    pub(super) fn spawn(future: Remote) -> Self {
        let answer = Arc::new(Slot(Mutex::new(Answer::Due(None))));
        let running = Running(answer.clone());
        let task = task::spawn(async move { running.give(Answer::Given(future.await)) });
        Self { answer, _task: task, _counted: None }
    }

    /// What it has come to; `None` if it waits.
    pub(super) fn ended<'py>(&self, py: Python<'py>) -> Option<PyResult<Bound<'py, PyAny>>> {
        let answer = {
            let mut slot = self.answer.lock();
            if let Answer::Due(_) = *slot {
                return None;
            }
            mem::replace(&mut *slot, Answer::Taken)
        };
        Some(match answer {
            Answer::Given(finish) => finish(py).map(|object| object.into_bound(py)),
            Answer::Lost | Answer::Due(_) | Answer::Taken => Err(PyRuntimeError::new_err(
                "there will be no answer: what was waited for has panicked, or the interpreter ends",
            )),
        })
    }
}

impl RemoteCall {
    /// Has the running event loop wait for a future.
    ///
    /// # Errors
    /// `RuntimeError` if there is none.
    pub(super) fn new(py: Python<'_>, under_way: UnderWay) -> PyResult<Bound<'_, Self>> {
        let (waiter, bell) = Waiter::new(py)?;
        under_way.answer.tell(bell);
        Bound::new(py, Self(Mutex::new(State::Waiting(Waiting { waiter, under_way }))))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to wait for, or `StopIteration` with what it has come to.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let future = match &*self.lock() {
            State::Waiting(Waiting { waiter, under_way }) if under_way.answer.is_due() => {
                Some(waiter.future().bind(py).clone())
            }
            State::Waiting(_) => None,
            State::Over => return Err(PyRuntimeError::new_err("cannot reuse already awaited call")),
        };
        if let Some(future) = future {
            // What asyncio's own `await future` says to the task.
            future.setattr(intern!(py, "_asyncio_future_blocking"), true)?;
            return Ok(future);
        }
        match self.end().and_then(|waiting| waiting.under_way.ended(py)) {
            Some(Ok(object)) => Err(PyStopIteration::new_err((object.unbind(),))),
            Some(Err(error)) => Err(raised(py, error)),
            None => Err(PyRuntimeError::new_err("cannot reuse already awaited call")),
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
            Ok(State::Waiting(waiting)) => visit.call(waiting.waiter.future()),
            Ok(State::Over) | Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let dropped = self.0.try_lock().ok().map(|mut state| mem::replace(&mut *state, State::Over));
        drop(dropped);
    }
}
