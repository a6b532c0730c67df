//! How futures tell an event loop that they have ended.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyTraverseError, PyVisit};

use super::bell::Bell;
use crate::group::running_loop;

/// The waiters of one event loop: an `asyncio.Future` for each call. The loop calls it when the bell has rung, once for
/// all whose calls have ended.
#[pyclass(frozen)]
pub(super) struct Mailbox {
    post: Arc<Post>,
    waiters: Mutex<Waiters>,
}

#[derive(Default)]
struct Waiters {
    futures: HashMap<u64, Py<PyAny>>,
    last: u64,
}

/// The calls that have ended since the loop has looked.
struct Post {
    ended: Mutex<Vec<u64>>,
    bell: Bell,
}

/// Tells the event loop of one waiter, from any thread and without the interpreter.
pub(super) struct Doorbell {
    post: Arc<Post>,
    id: u64,
}

/// A waiter on its event loop. Dropping it has the loop forget it.
pub(super) struct Waiter {
    mailbox: Py<Mailbox>,
    id: u64,
    future: Py<PyAny>,
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
        let post = Arc::new(Post { ended: Mutex::default(), bell: Bell::new()? });
        let fd = post.bell.fd();
        let mailbox = Bound::new(py, Self { post, waiters: Mutex::default() })?;
        event_loop.call_method1(intern!(py, "add_reader"), (fd, &mailbox))?;
        mailboxes.set_item(event_loop, &mailbox)?;
        Ok(mailbox)
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Mailbox {
    fn __call__(&self, py: Python<'_>) {
        self.post.bell.silence();
        let ended = mem::take(&mut *self.post.lock());
        for id in ended {
            let Some(future) = self.lock().futures.remove(&id) else { continue };
            let future = future.bind(py);
            // The others are not to wait forever because of one.
            if let Err(error) = release(future) {
                error.write_unraisable(py, Some(future));
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.waiters.try_lock() {
            Ok(waiters) => waiters.futures.values().try_for_each(|future| visit.call(future)),
            Err(_) => Ok(()),
        }
    }
}

/// Lets whoever waits go on; there may be nobody any more.
fn release(future: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if !future.call_method0(intern!(py, "done"))?.is_truthy()? {
        future.call_method1(intern!(py, "set_result"), (py.None(),))?;
    }
    Ok(())
}

impl Waiter {
    /// A new waiter on the running event loop, and the bell at its door.
    ///
    /// # Errors
    /// `RuntimeError` if no event loop runs that has futures.
    pub(super) fn new(py: Python<'_>) -> PyResult<(Self, Doorbell)> {
        let event_loop = running_loop(py).map_err(|_| {
            PyRuntimeError::new_err("no asyncio event loop runs: there is nothing to wait for an answer on")
        })?;
        let future = event_loop.call_method0(intern!(py, "create_future"))?;
        let mailbox = Mailbox::of(&event_loop)?;
        let (id, post) = {
            let mut waiters = mailbox.get().lock();
            waiters.last += 1;
            let id = waiters.last;
            waiters.futures.insert(id, future.clone().unbind());
            (id, mailbox.get().post.clone())
        };
        let waiter = Self { mailbox: mailbox.unbind(), id, future: future.unbind() };
        Ok((waiter, Doorbell { post, id }))
    }

    /// What to await.
    pub(super) fn future(&self) -> &Py<PyAny> {
        &self.future
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let forgotten = self.mailbox.get().lock().futures.remove(&self.id);
        drop(forgotten);
    }
}

impl Post {
    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doorbell {
    /// Whoever finds nobody before it wakes the loop, for all who come before it has looked.
    pub(super) fn ring(self) {
        let is_first = {
            let mut ended = self.post.lock();
            ended.push(self.id);
            ended.len() == 1
        };
        if is_first {
            self.post.bell.ring();
        }
    }
}
