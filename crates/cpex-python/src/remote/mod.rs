//! Rust futures that a Python program waits for.
//!
//! A future is polled once, in place: many have their answer at once. One that waits for something goes to the
//! thread of the [`runtime`], and an awaitable takes its place ([`call`]). When it has ended, the event loop is
//! woken ([`mailbox`]), once for all that have ended meanwhile, and the answer becomes a Python object there.

mod call;
mod mailbox;
mod runtime;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use call::RemoteCall;

pub(crate) use call::{Promised, Running, promise};
pub(crate) use mailbox::LoopId;

/// Makes a Python object of what a future has come to. Called with the interpreter, on the thread that waits.
pub(crate) type Finish = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// A future that a Python program waits for. It holds no Python object: it is dropped on any thread.
pub(crate) type Remote = Pin<Box<dyn Future<Output = Finish> + Send>>;

/// How far a future has come.
pub(crate) enum Begun<'py> {
    /// It has ended; this is what it has come to.
    Ended(PyResult<Bound<'py, PyAny>>),
    /// It waits; this is to be awaited on the running event loop. Dropping it drops the future.
    Waits(Bound<'py, PyAny>),
}

/// Polls a future for the first time, where it is.
///
/// # Errors
/// It panicked, it waits and there is no event loop to wait on, or there is no runtime to wait in.
pub(crate) fn begin(py: Python<'_>, mut future: Remote) -> PyResult<Begun<'_>> {
    let runtime = runtime::handle(py)?;
    let polled = {
        let _entered = runtime.enter();
        let mut context = Context::from_waker(Waker::noop());
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)))
    };
    match polled {
        Ok(Poll::Ready(finish)) => Ok(Begun::Ended(finish(py).map(|object| object.into_bound(py)))),
        // Its waker is nobody's; the runtime polls it again, with one of its own.
        Ok(Poll::Pending) => Ok(Begun::Waits(RemoteCall::start(py, &runtime, future)?.into_any())),
        // What a panic says may be nobody's business.
        Err(_) => Err(PyRuntimeError::new_err("what was to be waited for has panicked")),
    }
}

/// Gives a future to the runtime, to be awaited on the running event loop. Dropping what is returned drops the future.
///
/// # Errors
/// There is no event loop to wait on, or no runtime to wait in.
pub(crate) fn spawn(py: Python<'_>, future: Remote) -> PyResult<Bound<'_, PyAny>> {
    RemoteCall::start(py, &runtime::handle(py)?, future).map(Bound::into_any)
}
