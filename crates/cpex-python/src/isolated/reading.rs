//! Who reads what workers send: the event loop that waits, as long as there is but one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cpex_isolated::worker::{NETWORK, Turned, Worker};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::group::running_loop;
use crate::remote::{LoopId, Mailbox};

/// The event loop that reads for a plugin.
#[derive(Default)]
pub(super) struct Home {
    /// Held weakly: a loop that is gone is nobody's home.
    event_loop: Mutex<Option<(LoopId, Py<PyAny>)>>,
    /// Several loops have called at a time: the runtime reads for all of them.
    shared: AtomicBool,
}

impl Home {
    /// Sees to it that the answers to calls of the running event loop are read.
    pub(super) fn read(&self, py: Python<'_>, worker: &Arc<Worker>, caller: LoopId) -> PyResult<()> {
        let reader = worker.reader();
        if caller == reader {
            return Ok(());
        }
        if !self.shared.load(Ordering::Relaxed) && self.is(py, caller)? {
            return Self::read_on(py, worker, caller);
        }
        self.shared.store(true, Ordering::Relaxed);
        if reader != NETWORK {
            worker.read_here();
        }
        Ok(())
    }

    /// Is this the home? It becomes it if there is no other.
    fn is(&self, py: Python<'_>, caller: LoopId) -> PyResult<bool> {
        let known = self.lock().as_ref().map(|(known, event_loop)| (*known, event_loop.clone_ref(py)));
        let is_gone = match known {
            Some((known, _)) if known == caller => return Ok(true),
            Some((_, event_loop)) => {
                let event_loop = event_loop.bind(py).call0()?;
                event_loop.is_none() || event_loop.call_method0(intern!(py, "is_closed"))?.is_truthy()?
            }
            None => true,
        };
        if is_gone {
            static WEAK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            let weak = WEAK.import(py, "weakref", "ref")?.call1((running_loop(py)?,))?.unbind();
            let before = self.lock().replace((caller, weak));
            drop(before);
        }
        Ok(is_gone)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(LoopId, Py<PyAny>)>> {
        self.event_loop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_on(py: Python<'_>, worker: &Arc<Worker>, caller: LoopId) -> PyResult<()> {
        let event_loop = running_loop(py)?;
        let mailbox = Mailbox::of(&event_loop)?.unbind();
        let turn = Py::new(py, Turn { worker: worker.clone(), reader: caller, mailbox })?;
        match event_loop.call_method1(intern!(py, "add_reader"), (worker.fd(), turn)) {
            Ok(_) => worker.read_there(caller),
            // Not every event loop watches sockets.
            Err(_) if worker.reader() == NETWORK => {}
            Err(_) => worker.read_here(),
        }
        Ok(())
    }
}

/// What an event loop calls when a worker has sent something. The loop holds it, and it holds the socket open.
#[pyclass(frozen)]
struct Turn {
    worker: Arc<Worker>,
    reader: LoopId,
    mailbox: Py<Mailbox>,
}

#[pymethods]
impl Turn {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let is_over = self.worker.reader() != self.reader || self.worker.turn(self.reader) == Turned::Over;
        self.mailbox.get().deliver(py);
        if is_over {
            running_loop(py)?.call_method1(intern!(py, "remove_reader"), (self.worker.fd(),))?;
        }
        Ok(())
    }
}
