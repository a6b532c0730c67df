//! One coroutine of a plugin, being stepped on whatever task the caller is on.

use std::cell::Cell;
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyStopIteration, PyTypeError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::classes::classes;
use crate::deadline::Deadline;

/// What is put into a suspended coroutine.
pub(crate) enum Input<'py> {
    /// Go on.
    Send,
    /// Go on with this answer; event loops other than asyncio's have some.
    Answer(Bound<'py, PyAny>),
    /// Go on with this exception.
    Throw(Bound<'py, PyAny>),
}

impl<'py> Input<'py> {
    /// What was sent into an awaitable.
    pub(crate) fn answer(value: &Bound<'py, PyAny>) -> Self {
        if value.is_none() { Self::Send } else { Self::Answer(value.clone()) }
    }
}

/// What comes out of a step.
pub(crate) enum Step<'py> {
    /// It waits for this.
    Yielded(Bound<'py, PyAny>),
    /// It returned this.
    Returned(Bound<'py, PyAny>),
    /// It raised this.
    Raised(PyErr),
    /// Its time was up.
    TimedOut,
}

thread_local! {
    /// When the plugin call is given up, at the latest, in whose step this thread is.
    static ENDS: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// How long the plugin call is still waited for in whose step this is; `None` if for ever, or outside of any.
pub(crate) fn time_left() -> Option<Duration> {
    ENDS.get().map(|ends| ends.saturating_duration_since(Instant::now()))
}

/// The step of a plugin call, as long as this lives. The plugin may run others meanwhile: none lasts longer than the one
/// around it.
struct InStep(Option<Instant>);

impl InStep {
    fn begin(deadline: &Deadline) -> Self {
        let around = ENDS.get();
        let ends = deadline.ends();
        ENDS.set(around.map_or(ends, |around| Some(ends.map_or(around, |ends| ends.min(around)))));
        Self(around)
    }
}

impl Drop for InStep {
    fn drop(&mut self) {
        ENDS.set(self.0);
    }
}

/// One coroutine and its deadline.
pub(crate) struct PluginCall {
    coroutine: Py<PyAny>,
    deadline: Deadline,
    overdue: bool,
}

impl PluginCall {
    /// Takes what a plugin's method returned when it was called.
    ///
    /// # Errors
    /// `TypeError` if it cannot be awaited.
    pub(crate) fn new(
        awaitable: Bound<'_, PyAny>,
        started: Instant,
        limit: Option<Duration>,
    ) -> PyResult<Self> {
        let coroutine = coroutine_of(awaitable)?.unbind();
        Ok(Self { coroutine, deadline: Deadline::starting_at(started, limit), overdue: false })
    }

    /// The first step.
    pub(crate) fn start<'py>(&mut self, py: Python<'py>) -> Step<'py> {
        if self.deadline.is_immediate() {
            return match self.close(py) {
                Ok(()) => Step::TimedOut,
                Err(error) => Step::Raised(error),
            };
        }
        let raw = {
            let _in_step = InStep::begin(&self.deadline);
            send(self.coroutine.bind(py), py.None().bind(py))
        };
        self.settle(py, raw)
    }

    /// A further step.
    pub(crate) fn resume<'py>(&mut self, py: Python<'py>, input: Input<'py>) -> Step<'py> {
        let in_step = InStep::begin(&self.deadline);
        let raw = match input {
            Input::Send | Input::Answer(_) if self.deadline.is_overdue() => {
                self.overdue = true;
                classes(py).and_then(|classes| {
                    let cancelled = classes.cancelled_error.bind(py).call0()?;
                    throw(self.coroutine.bind(py), cancelled)
                })
            }
            Input::Send => send(self.coroutine.bind(py), py.None().bind(py)),
            Input::Answer(answer) => send(self.coroutine.bind(py), &answer),
            Input::Throw(exception) => {
                // What it raises now may come from outside: only the alarm, which counts, can tell.
                self.overdue = false;
                throw(self.coroutine.bind(py), exception)
            }
        };
        drop(in_step);
        self.settle(py, raw)
    }

    /// Ends the coroutine where it stands.
    pub(crate) fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        let disarmed = self.deadline.disarm(py);
        let coroutine = self.coroutine.bind(py);
        if let Some(close) = coroutine.getattr_opt(intern!(py, "close"))? {
            close.call0()?;
        }
        disarmed.map(drop)
    }

    fn settle<'py>(&mut self, py: Python<'py>, raw: PyResult<Raw<'py>>) -> Step<'py> {
        match raw {
            Ok(Raw::Yielded(value)) => {
                // A bare `yield` comes back at once: the clock is looked at then.
                if !value.is_none()
                    && let Err(error) = self.deadline.arm(py)
                {
                    return Step::Raised(error);
                }
                Step::Yielded(value)
            }
            Ok(Raw::Returned(value)) => match self.deadline.disarm(py) {
                Ok(_) => Step::Returned(value),
                Err(error) => Step::Raised(error),
            },
            Err(error) => match self.deadline.disarm(py) {
                Ok(rung) if (rung || self.overdue) && is_cancellation(py, &error) => Step::TimedOut,
                Ok(_) => Step::Raised(error),
                Err(error) => Step::Raised(error),
            },
        }
    }
}

enum Raw<'py> {
    Yielded(Bound<'py, PyAny>),
    Returned(Bound<'py, PyAny>),
}

fn coroutine_of(awaitable: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: reads the type of a live object.
    if unsafe { ffi::PyCoro_CheckExact(awaitable.as_ptr()) } != 0 {
        return Ok(awaitable);
    }
    let py = awaitable.py();
    match awaitable.get_type().getattr_opt(intern!(py, "__await__"))? {
        Some(get) => checked(get.call1((awaitable,))?),
        None if is_generator_coroutine(&awaitable)? => Ok(awaitable),
        None => {
            let class = awaitable.get_type().name()?.to_owned();
            Err(PyTypeError::new_err(format!("object {class} can't be used in 'await' expression")))
        }
    }
}

/// What `__await__` returned, if it is an iterator and no coroutine.
fn checked(iterator: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: both read the type of a live object.
    let (is_coroutine, is_iterator) = unsafe {
        (ffi::PyCoro_CheckExact(iterator.as_ptr()) != 0, ffi::PyIter_Check(iterator.as_ptr()) != 0)
    };
    if is_coroutine || is_generator_coroutine(&iterator)? {
        return Err(PyTypeError::new_err("__await__() returned a coroutine"));
    }
    if !is_iterator {
        let class = iterator.get_type().name()?.to_owned();
        return Err(PyTypeError::new_err(format!("__await__() returned non-iterator of type '{class}'")));
    }
    Ok(iterator)
}

/// Is this the generator of a function decorated with `types.coroutine`?
fn is_generator_coroutine(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    // SAFETY: reads the type of a live object.
    if unsafe { ffi::PyGen_CheckExact(object.as_ptr()) } == 0 {
        return Ok(false);
    }
    let py = object.py();
    let flags = object.getattr(intern!(py, "gi_code"))?.getattr(intern!(py, "co_flags"))?;
    Ok(flags.extract::<i32>()? & ffi::CO_ITERABLE_COROUTINE != 0)
}

fn send<'py>(coroutine: &Bound<'py, PyAny>, answer: &Bound<'py, PyAny>) -> PyResult<Raw<'py>> {
    let py = coroutine.py();
    let mut value = std::ptr::null_mut();
    // SAFETY: all pointers are live; on return `value` holds a new reference unless an error is set.
    unsafe {
        match ffi::PyIter_Send(coroutine.as_ptr(), answer.as_ptr(), &raw mut value) {
            ffi::PySendResult::PYGEN_RETURN => Ok(Raw::Returned(Bound::from_owned_ptr(py, value))),
            ffi::PySendResult::PYGEN_NEXT => Ok(Raw::Yielded(Bound::from_owned_ptr(py, value))),
            ffi::PySendResult::PYGEN_ERROR => Err(PyErr::fetch(py)),
        }
    }
}

fn throw<'py>(coroutine: &Bound<'py, PyAny>, exception: Bound<'py, PyAny>) -> PyResult<Raw<'py>> {
    let py = coroutine.py();
    match coroutine.getattr_opt(intern!(py, "throw"))? {
        // A bare iterator from `__await__` cannot be thrown into: it ends with the exception.
        None => Err(PyErr::from_value(exception)),
        Some(throw) => match throw.call1((exception,)) {
            Ok(value) => Ok(Raw::Yielded(value)),
            Err(error) if error.is_instance_of::<PyStopIteration>(py) => {
                Ok(Raw::Returned(error.value(py).getattr(intern!(py, "value"))?))
            }
            Err(error) => Err(error),
        },
    }
}

pub(crate) fn is_cancellation(py: Python<'_>, error: &PyErr) -> bool {
    classes(py).is_ok_and(|classes| error.is_instance(py, classes.cancelled_error.bind(py)))
}

impl PluginCall {
    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.coroutine)?;
        self.deadline.traverse(visit)
    }
}
