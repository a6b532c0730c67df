//! Rust futures that a Python program waits for.
//!
//! A future takes its first steps where it begins: many have their answer at once, and a call is on its way without
//! another thread ([`cpex_remote::task`]). One that waits goes on in the thread of the [`runtime`], and an awaitable takes its place
//! ([`call`]). When it has ended, a [`bell`] wakes the event loop, once for all that have ended meanwhile
//! ([`mailbox`]), and the answer becomes a Python object there. The thread of the runtime never asks for the
//! interpreter.

mod bell;
mod call;
mod mailbox;
mod runtime;

use std::pin::Pin;

use pyo3::prelude::*;

pub(crate) use bell::Bell;
use call::{RemoteCall, UnderWay};

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

/// Takes the first steps of a future, here.
///
/// # Errors
/// It waits and there is no event loop to wait on, or there is no runtime to wait in.
pub(crate) fn begin(py: Python<'_>, future: Remote) -> PyResult<Begun<'_>> {
    let under_way = UnderWay::begin(&runtime::handle(py)?, future);
    match under_way.ended(py) {
        Some(ended) => Ok(Begun::Ended(ended)),
        None => Ok(Begun::Waits(RemoteCall::new(py, under_way)?.into_any())),
    }
}

/// Gives a future to the runtime, to be awaited on the running event loop. Dropping what is returned drops the future.
///
/// # Errors
/// There is no event loop to wait on, or no runtime to wait in.
pub(crate) fn spawn(py: Python<'_>, future: Remote) -> PyResult<Bound<'_, PyAny>> {
    let runtime = runtime::handle(py)?;
    let under_way = {
        let _entered = runtime.enter();
        UnderWay::spawn(future)
    };
    RemoteCall::new(py, under_way).map(Bound::into_any)
}
