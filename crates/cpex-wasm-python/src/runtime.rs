//! What drives calls that take longer: threads that start with the first of these, in each process, and end with the
//! interpreter.

use std::io;
use std::mem;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};

/// Locked only with the interpreter held, as forks are: it is free in a forked child.
static STATE: Mutex<State> = Mutex::new(State::Idle);

/// A call gives way about every millisecond.
const LONGEST_TURN: Duration = Duration::from_secs(5);

enum State {
    Idle,
    /// Of the process with this number.
    Running(u32, Runtime),
    /// The interpreter ends.
    Stopped,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it is this process that has started it.
pub(crate) fn is_of_this_process() -> bool {
    matches!(&*state(), State::Running(of, _) if *of == process::id())
}

/// The runtime of this process.
///
/// # Errors
/// There can be no threads, or the interpreter ends.
pub(crate) fn handle() -> io::Result<Handle> {
    let mut state = state();
    let process = process::id();
    match &*state {
        State::Running(of, runtime) if *of == process => return Ok(runtime.handle().clone()),
        State::Stopped => return Err(io::Error::other("the interpreter ends: nothing is waited for")),
        State::Running(..) | State::Idle => {}
    }
    let new = Builder::new_multi_thread().thread_name("cpex-wasm").build()?;
    let handle = new.handle().clone();
    // A fork copies no thread: waiting for the parent's would last for ever.
    mem::forget(mem::replace(&mut *state, State::Running(process, new)));
    Ok(handle)
}

/// Has the threads end before the interpreter does: one that asks for it later is ended in the midst of what it does.
pub(crate) fn register(py: Python<'_>) -> PyResult<()> {
    py.import("atexit")?.call_method1("register", (wrap_pyfunction!(stop, py)?,))?;
    Ok(())
}

#[pyfunction]
fn stop(py: Python<'_>) {
    let before = mem::replace(&mut *state(), State::Stopped);
    match before {
        // Whoever is at work may ask for the interpreter.
        State::Running(of, runtime) if of == process::id() => {
            py.detach(|| runtime.shutdown_timeout(LONGEST_TURN));
        }
        of_parent => mem::forget(of_parent),
    }
}
