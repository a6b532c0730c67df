//! The awaitable of a pipeline that waits for something.
//!
//! It is only made when a plugin suspends. Up to then, and for pipelines that never do, everything happens
//! inside the call that started it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::pipeline::{Pipeline, Progress};
use crate::plugin_call::Input;
use crate::single::Single;
use crate::task::{raised, thrown};

/// What a `HookCall` carries.
pub(crate) enum Flight {
    /// A whole pipeline.
    Pipeline(Box<Pipeline>),
    /// One plugin, outside a pipeline.
    Single(Box<Single>),
}

impl Flight {
    fn resume<'py>(&mut self, py: Python<'py>, input: Input<'py>) -> PyResult<Progress<'py>> {
        match self {
            Self::Pipeline(pipeline) => pipeline.resume(py, input),
            Self::Single(single) => single.resume(py, input),
        }
    }

    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        match self {
            Self::Pipeline(pipeline) => pipeline.close(py),
            Self::Single(single) => single.close(py),
        }
    }
}

enum State {
    /// A plugin has yielded this, and nobody has seen it yet.
    Yielded(Py<PyAny>, Flight),
    Suspended(Flight),
    /// A step is under way.
    Busy,
    /// It has come to this; `None` once that is taken, or if it was closed or raised.
    Over(Option<Py<PyAny>>),
}

/// A pipeline in flight, on the caller's own task.
///
/// It does not return what it comes to, for that takes an exception; it is taken by `result()`.
#[pyclass(frozen, module = "cpex._core")]
pub(crate) struct HookCall(Mutex<State>);

impl HookCall {
    /// A flight that has been suspended for the first time.
    pub(crate) fn suspended<'py>(
        py: Python<'py>,
        yielded: Bound<'py, PyAny>,
        flight: Flight,
    ) -> PyResult<Bound<'py, PyAny>> {
        let call = Self(Mutex::new(State::Yielded(yielded.unbind(), flight)));
        Ok(Bound::new(py, call)?.into_any())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it waits for; `None` when it is over.
    fn step<'py>(&self, py: Python<'py>, input: Input<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let state = std::mem::replace(&mut *self.lock(), State::Busy);
        let mut flight = match (state, &input) {
            (State::Yielded(value, flight), Input::Send) => {
                *self.lock() = State::Suspended(flight);
                return Ok(Some(value.into_bound(py)));
            }
            (State::Yielded(_, flight) | State::Suspended(flight), _) => flight,
            (State::Busy, _) => return Err(PyRuntimeError::new_err("hook call is already being awaited")),
            (State::Over(result), _) => {
                *self.lock() = State::Over(result);
                return Err(PyRuntimeError::new_err("cannot reuse already awaited hook call"));
            }
        };
        match flight.resume(py, input) {
            Ok(Progress::Yielded(value)) => {
                *self.lock() = State::Suspended(flight);
                Ok(Some(value))
            }
            Ok(Progress::Done(value)) => {
                *self.lock() = State::Over(Some(value.unbind()));
                Ok(None)
            }
            Err(error) => {
                *self.lock() = State::Over(None);
                Err(raised(py, error))
            }
        }
    }
}

#[pymethods]
impl HookCall {
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
        self.step(py, Input::Throw(thrown(typ, val, tb)?))?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let state = std::mem::replace(&mut *self.lock(), State::Busy);
        let (closed, over) = match state {
            State::Yielded(_, mut flight) | State::Suspended(mut flight) => (flight.close(py), true),
            State::Busy => (Err(PyRuntimeError::new_err("hook call is already being awaited")), false),
            State::Over(_) => (Ok(()), true),
        };
        if over {
            *self.lock() = State::Over(None);
        }
        closed
    }

    /// What it came to, once.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let result = match &mut *self.lock() {
            State::Over(result) => result.take(),
            State::Yielded(..) | State::Suspended(_) | State::Busy => None,
        };
        result
            .map(|result| result.into_bound(py))
            .ok_or_else(|| PyRuntimeError::new_err("hook call has no result"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(state) = self.0.try_lock() else { return Ok(()) };
        let flight = match &*state {
            State::Yielded(value, flight) => {
                visit.call(value)?;
                flight
            }
            State::Suspended(flight) => flight,
            State::Over(result) => return visit.call(result),
            State::Busy => return Ok(()),
        };
        match flight {
            Flight::Pipeline(pipeline) => pipeline.traverse(&visit),
            Flight::Single(single) => single.traverse(&visit),
        }
    }

    fn __clear__(&self) {
        // Dropped after the lock is released: what is dropped may run Python code that comes back here.
        let dropped =
            self.0.try_lock().ok().map(|mut state| std::mem::replace(&mut *state, State::Over(None)));
        drop(dropped);
    }
}
