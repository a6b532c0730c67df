//! How futures tell an event loop that they have ended.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyTraverseError, PyVisit};

use crate::group::running_loop;

/// Tells event loops apart; never 0, and never used twice.
pub(crate) type LoopId = u64;

/// The waiters of one event loop whose futures have ended. The loop calls it, once for all that are in it.
#[pyclass(frozen)]
pub(super) struct Mailbox {
    waiters: Mutex<Vec<Py<PyAny>>>,
    event_loop: LoopId,
}

/// Rings at the door of one waiter: an `asyncio.Future` on its event loop.
pub(super) struct Doorbell {
    mailbox: Py<Mailbox>,
    /// `call_soon_threadsafe` of the loop.
    wake: Py<PyAny>,
    waiter: Py<PyAny>,
}

static MAILBOXES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

impl Mailbox {
    /// The mailbox of an event loop; it lives as long as the loop.
    fn of<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let py = event_loop.py();
        let mailboxes = MAILBOXES.get_or_try_init(py, || {
            py.import("weakref")?.call_method0("WeakKeyDictionary").map(Bound::unbind)
        })?;
        let mailboxes = mailboxes.bind(py);
        let known = mailboxes.call_method1(intern!(py, "get"), (event_loop,))?;
        if !known.is_none() {
            return Ok(known.cast_into()?);
        }
        static LAST: AtomicU64 = AtomicU64::new(0);
        let event_loop_id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let mailbox = Bound::new(py, Self { waiters: Mutex::default(), event_loop: event_loop_id })?;
        mailboxes.set_item(event_loop, &mailbox)?;
        Ok(mailbox)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Py<PyAny>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Mailbox {
    fn __call__(&self, py: Python<'_>) {
        let waiters = mem::take(&mut *self.lock());
        for waiter in waiters {
            let waiter = waiter.bind(py);
            // The others are not to wait forever because of one.
            if let Err(error) = release(waiter) {
                error.write_unraisable(py, Some(waiter));
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.waiters.try_lock() {
            Ok(waiters) => waiters.iter().try_for_each(|waiter| visit.call(waiter)),
            Err(_) => Ok(()),
        }
    }
}

/// Lets whoever waits go on; there may be nobody any more.
fn release(waiter: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = waiter.py();
    if !waiter.call_method0(intern!(py, "done"))?.is_truthy()? {
        waiter.call_method1(intern!(py, "set_result"), (py.None(),))?;
    }
    Ok(())
}

impl Doorbell {
    /// A new waiter on the running event loop, and the bell at its door.
    ///
    /// # Errors
    /// `RuntimeError` if no event loop runs that has futures.
    pub(super) fn new(py: Python<'_>) -> PyResult<(Bound<'_, PyAny>, Self)> {
        let event_loop = running_loop(py).map_err(|_| {
            PyRuntimeError::new_err("no asyncio event loop runs: there is nothing to wait for an answer on")
        })?;
        let waiter = event_loop.call_method0(intern!(py, "create_future"))?;
        let bell = Self {
            mailbox: Mailbox::of(&event_loop)?.unbind(),
            wake: event_loop.getattr(intern!(py, "call_soon_threadsafe"))?.unbind(),
            waiter: waiter.clone().unbind(),
        };
        Ok((waiter, bell))
    }

    /// Whose door it is.
    pub(super) fn event_loop(&self) -> LoopId {
        self.mailbox.get().event_loop
    }

    /// Rings, from any thread. Whoever finds the mailbox empty wakes the loop for all who come before it has looked. The
    /// loop itself, `on`, needs no waking.
    pub(super) fn ring(self, on: Option<LoopId>) {
        Python::try_attach(|py| {
            if on == Some(self.event_loop()) {
                let waiter = self.waiter.bind(py);
                if let Err(error) = release(waiter) {
                    error.write_unraisable(py, Some(waiter));
                }
                return;
            }
            let is_first = {
                let mut waiters = self.mailbox.get().lock();
                waiters.push(self.waiter.clone_ref(py));
                waiters.len() == 1
            };
            if is_first && self.wake.call1(py, (&self.mailbox,)).is_err() {
                // The loop is closed: nobody waits on it any more.
                let nobody = mem::take(&mut *self.mailbox.get().lock());
                drop(nobody);
            }
        });
    }
}
