//! The concurrent plugins of one invocation: a task each, and a place to wait for the next to end.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::classes::classes;
use crate::plugin_call::{Input, PluginCall, Step};
use crate::task::{Ended, Job, PluginTask, Purpose};

/// The tasks of the concurrent plugins.
pub(crate) struct Group {
    event_loop: Py<PyAny>,
    door: Py<Door>,
    members: Vec<Member>,
}

struct Member {
    entry: usize,
    task: Py<PyAny>,
    call: Py<PluginTask>,
}

/// Where tasks say that they have ended.
#[pyclass(frozen)]
#[derive(Default)]
struct Door(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    ended: Vec<usize>,
    waiter: Option<Py<PyAny>>,
}

/// The done-callback of one task.
#[pyclass(frozen)]
struct Knock {
    door: Py<Door>,
    entry: usize,
}

impl Door {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Door {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.try_lock() {
            Ok(waiting) => visit.call(&waiting.waiter),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let dropped = self.0.try_lock().ok().and_then(|mut waiting| waiting.waiter.take());
        drop(dropped);
    }
}

#[pymethods]
impl Knock {
    fn __call__(&self, py: Python<'_>, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let _ = task;
        let waiter = {
            let mut waiting = self.door.get().lock();
            waiting.ended.push(self.entry);
            waiting.waiter.take()
        };
        if let Some(waiter) = waiter {
            let waiter = waiter.bind(py);
            if !waiter.call_method0(intern!(py, "done"))?.is_truthy()? {
                waiter.call_method1(intern!(py, "set_result"), (py.None(),))?;
            }
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.door)
    }
}

impl Group {
    /// An empty group on the running event loop.
    ///
    /// # Errors
    /// `RuntimeError` if no event loop runs.
    pub(crate) fn new(py: Python<'_>) -> PyResult<Self> {
        Ok(Self {
            event_loop: running_loop(py)?.unbind(),
            door: Py::new(py, Door::default())?,
            members: Vec::new(),
        })
    }

    /// Starts a task.
    pub(crate) fn spawn(&mut self, py: Python<'_>, entry: usize, name: String, job: Job) -> PyResult<()> {
        let call = Py::new(py, PluginTask::new(name, job, Purpose::Awaited))?;
        let task = self.event_loop.bind(py).call_method1(intern!(py, "create_task"), (&call,))?;
        let knock = Knock { door: self.door.clone_ref(py), entry };
        task.call_method1(intern!(py, "add_done_callback"), (Py::new(py, knock)?,))?;
        self.members.push(Member { entry, task: task.unbind(), call });
        Ok(())
    }

    /// Asks a task to stop.
    pub(crate) fn cancel(&self, py: Python<'_>, entry: usize) -> PyResult<()> {
        match self.members.iter().find(|member| member.entry == entry) {
            Some(member) => member.task.bind(py).call_method0(intern!(py, "cancel")).map(drop),
            None => Ok(()),
        }
    }

    /// Asks every task to stop that has not ended. On an event loop that is closed none runs any more.
    pub(crate) fn cancel_all(&self, py: Python<'_>) -> PyResult<()> {
        if self.event_loop.bind(py).call_method0(intern!(py, "is_closed"))?.is_truthy()? {
            return Ok(());
        }
        self.members.iter().try_for_each(|member| self.cancel(py, member.entry))
    }

    /// What to yield to the event loop until the next task has ended; `None` if one has.
    pub(crate) fn wait<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if !self.door.get().lock().ended.is_empty() {
            return Ok(None);
        }
        let waiter = self.event_loop.bind(py).call_method0(intern!(py, "create_future"))?;
        let before = self.door.get().lock().waiter.replace(waiter.clone().unbind());
        drop(before);
        let mut step = PluginCall::new(waiter, std::time::Instant::now(), None)?;
        match step.resume(py, Input::Send) {
            Step::Yielded(future) => Ok(Some(future)),
            Step::Returned(_) | Step::TimedOut => Ok(None),
            Step::Raised(error) => Err(error),
        }
    }

    /// Those that have ended since the last time, in the order in which they did.
    pub(crate) fn take_ended(&mut self) -> Vec<(usize, Option<Ended>)> {
        let Waiting { ended, waiter } = std::mem::take(&mut *self.door.get().lock());
        drop(waiter);
        ended
            .into_iter()
            .map(|entry| {
                let member = self.members.iter().position(|member| member.entry == entry);
                let ending = member.and_then(|at| self.members.swap_remove(at).call.get().take_ending());
                (entry, ending)
            })
            .collect()
    }

    /// How many have not ended.
    pub(crate) fn pending(&self) -> usize {
        self.members.len()
    }

    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.door)?;
        for member in &self.members {
            visit.call(&member.task)?;
            visit.call(&member.call)?;
        }
        Ok(())
    }
}

/// The running event loop.
///
/// # Errors
/// `RuntimeError` if there is none.
pub(crate) fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let event_loop = classes(py)?.running_loop.bind(py).call0()?;
    if event_loop.is_none() {
        return Err(pyo3::exceptions::PyRuntimeError::new_err("no running event loop"));
    }
    Ok(event_loop)
}
