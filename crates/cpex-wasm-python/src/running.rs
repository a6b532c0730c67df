//! A call under way.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use cpex_remote::Reply;
use cpex_wasm::Fault;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::task::AbortHandle;

use crate::fork::Whole;
use crate::runtime;

/// What a call comes to.
pub(crate) enum Ended {
    Started,
    Answered(Reply),
    Failed(Fault),
}

type Future = Pin<Box<dyn std::future::Future<Output = Ended> + Send>>;

/// A call that was not over within a millisecond. It goes on in the background once it is started.
#[pyclass(frozen, module = "cpex_wasm")]
pub(crate) struct Running(Arc<Mutex<State>>);

enum State {
    Begun(Future),
    Runs(AbortHandle),
    Ended(Ended),
    /// It was given up, or what it has come to was taken.
    Over,
}

/// Polls a call for the first time, where it is: what it has come to, or what is under way.
pub(crate) fn begin(
    py: Python<'_>,
    future: impl std::future::Future<Output = Ended> + Send + 'static,
) -> PyResult<Bound<'_, PyAny>> {
    let mut future: Future = Box::pin(future);
    let mut context = Context::from_waker(Waker::noop());
    match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context))) {
        Ok(Poll::Ready(ended)) => ended.into_python(py),
        // Its waker is nobody's; the runtime polls it again, with one of its own.
        Ok(Poll::Pending) => {
            Bound::new(py, Running(Arc::new(Mutex::new(State::Begun(future))))).map(Bound::into_any)
        }
        Err(_) => Err(PyRuntimeError::new_err(("the call has panicked",))),
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl Running {
    fn start(&self, ended: Py<PyAny>) -> PyResult<()> {
        let runtime = runtime::handle()?;
        let mut state = lock(&self.0);
        let State::Begun(future) = mem::replace(&mut *state, State::Over) else {
            return Err(PyRuntimeError::new_err(("it was started before",)));
        };
        let shared = self.0.clone();
        let task = runtime.spawn(Whole::new(async move {
            let came = future.await;
            *lock(&shared) = State::Ended(came);
            // At the end of the interpreter nobody waits.
            Python::try_attach(|py| {
                if let Err(error) = ended.call0(py) {
                    error.write_unraisable(py, None);
                }
                drop(ended);
            });
        }));
        *state = State::Runs(task.abort_handle());
        Ok(())
    }

    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let state = mem::replace(&mut *lock(&self.0), State::Over);
        match state {
            State::Ended(ended) => ended.into_python(py),
            State::Begun(_) | State::Runs(_) | State::Over => {
                Err(PyRuntimeError::new_err(("there is no answer",)))
            }
        }
    }

    fn abort(&self) {
        let mut state = lock(&self.0);
        let before = match &*state {
            State::Runs(_) | State::Begun(_) => mem::replace(&mut *state, State::Over),
            State::Ended(_) | State::Over => return,
        };
        drop(state);
        // In a forked child nothing of its parent's runs, and its runtime may be locked.
        if let State::Runs(task) = before
            && runtime::is_of_this_process()
        {
            task.abort();
        }
    }
}
