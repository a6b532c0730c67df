//! A fork copies no thread, and whatever lock another one holds stays locked in the child: forks wait for a moment in which
//! no thread of Rust's is at work.
//!
//! Those that hold the interpreter need not be waited for: it is one of them that forks.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// How many are at work. Never locked by who holds the interpreter, but by who forks, and there until it has forked.
static AT_WORK: Mutex<usize> = Mutex::new(0);
static DONE: Condvar = Condvar::new();

thread_local! {
    static FORKS: RefCell<Option<MutexGuard<'static, usize>>> = const { RefCell::new(None) };
}

fn at_work() -> MutexGuard<'static, usize> {
    AT_WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does what no fork may come between. Whoever calls it does not hold the interpreter.
pub(crate) fn whole<T>(does: impl FnOnce() -> T) -> T {
    struct AtWork;

    impl Drop for AtWork {
        fn drop(&mut self) {
            *at_work() -= 1;
            DONE.notify_all();
        }
    }

    *at_work() += 1;
    let _at_work = AtWork;
    does()
}

/// A future that no fork comes between while it is polled or dropped, by threads that do not hold the interpreter.
pub(crate) struct Whole<F>(Option<Pin<Box<F>>>);

impl<F> Whole<F> {
    pub(crate) fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F: Future<Output = ()>> Future for Whole<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        whole(|| self.0.as_mut().map_or(Poll::Ready(()), |future| future.as_mut().poll(context)))
    }
}

impl<F> Drop for Whole<F> {
    fn drop(&mut self) {
        whole(|| self.0 = None);
    }
}

/// Has the forks of this process wait.
pub(crate) fn register(py: Python<'_>) -> PyResult<()> {
    // Windows does not fork.
    let Some(register) = py.import("os")?.getattr_opt("register_at_fork")? else { return Ok(()) };
    let hooks = PyDict::new(py);
    hooks.set_item("before", wrap_pyfunction!(stand_still, py)?)?;
    hooks.set_item("after_in_parent", wrap_pyfunction!(go_on, py)?)?;
    hooks.set_item("after_in_child", wrap_pyfunction!(go_on, py)?)?;
    register.call((), Some(&hooks))?;
    Ok(())
}

#[pyfunction]
fn stand_still(py: Python<'_>) {
    // Those at work may ask for the interpreter.
    py.detach(|| {
        let none = DONE.wait_while(at_work(), |at_work| *at_work > 0);
        FORKS.set(Some(none.unwrap_or_else(PoisonError::into_inner)));
    });
}

#[pyfunction]
fn go_on() {
    FORKS.take();
}
