//! How long a plugin may take.
//!
//! A coroutine that never suspends cannot be interrupted by an event loop, so the clock is looked at and the
//! loop asked for a wake-up only when a plugin first waits for something. When the time is up the task is
//! cancelled the way `asyncio.timeout` does it, so that the two can be nested in either order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::classes::classes;

/// The deadline of one plugin call.
pub(crate) struct Deadline {
    limit: Option<Duration>,
    started: Instant,
    alarm: Option<Alarm>,
}

struct Alarm {
    handle: Py<PyAny>,
    bell: Py<Bell>,
    cancelling: usize,
    is_armed: bool,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if self.is_armed {
            // The call was dropped half-way: whatever the task does then is not to be cancelled.
            Python::try_attach(|py| {
                let pending = PyErr::take(py);
                // It fails for an event loop that is being collected itself, and rings no more.
                let _ = self.handle.call_method0(py, intern!(py, "cancel"));
                if let Some(pending) = pending {
                    pending.restore(py);
                }
            });
        }
    }
}

/// What the event loop calls when the time is up.
#[pyclass(frozen)]
struct Bell {
    task: Py<PyAny>,
    rung: AtomicBool,
}

#[pymethods]
impl Bell {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        self.rung.store(true, Ordering::Relaxed);
        self.task.bind(py).call_method0(intern!(py, "cancel"))?;
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.task)
    }
}

impl Deadline {
    pub(crate) fn starting_at(started: Instant, limit: Option<Duration>) -> Self {
        Self { limit, started, alarm: None }
    }

    /// When the time is up, if ever.
    pub(crate) fn ends(&self) -> Option<Instant> {
        self.started.checked_add(self.limit?)
    }

    /// Is there no time at all?
    pub(crate) fn is_immediate(&self) -> bool {
        self.limit.is_some_and(|limit| limit.is_zero())
    }

    /// Is the time up, with no alarm set that would say so?
    pub(crate) fn is_overdue(&self) -> bool {
        self.alarm.is_none() && self.limit.is_some_and(|limit| self.started.elapsed() >= limit)
    }

    /// The plugin waits for something: asks the event loop to cancel the current task in time.
    pub(crate) fn arm(&mut self, py: Python<'_>) -> PyResult<()> {
        let (None, Some(limit)) = (&self.alarm, self.limit) else { return Ok(()) };
        let classes = classes(py)?;
        let event_loop = classes.running_loop.bind(py).call0()?;
        if event_loop.is_none() {
            return Ok(());
        }
        let task = classes.current_task.bind(py).call1((&event_loop,))?;
        if task.is_none() {
            return Ok(());
        }
        let cancelling = task.call_method0(intern!(py, "cancelling"))?.extract()?;
        let left = limit.saturating_sub(self.started.elapsed()).as_secs_f64();
        let now: f64 = event_loop.call_method0(intern!(py, "time"))?.extract()?;
        let bell = Py::new(py, Bell { task: task.unbind(), rung: AtomicBool::new(false) })?;
        let handle = event_loop.call_method1(intern!(py, "call_at"), (now + left, &bell))?;
        self.alarm = Some(Alarm { handle: handle.unbind(), bell, cancelling, is_armed: true });
        Ok(())
    }

    /// The plugin has ended. True if the alarm went off, and was all that cancelled the task.
    pub(crate) fn disarm(&mut self, py: Python<'_>) -> PyResult<bool> {
        let Some(mut alarm) = self.alarm.take() else { return Ok(false) };
        alarm.is_armed = false;
        let bell = alarm.bell.get();
        if bell.rung.load(Ordering::Relaxed) {
            let left: usize = bell.task.bind(py).call_method0(intern!(py, "uncancel"))?.extract()?;
            return Ok(left <= alarm.cancelling);
        }
        alarm.handle.bind(py).call_method0(intern!(py, "cancel"))?;
        Ok(false)
    }
}

impl Deadline {
    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.alarm {
            Some(alarm) => {
                visit.call(&alarm.handle)?;
                visit.call(&alarm.bell)
            }
            None => Ok(()),
        }
    }
}
