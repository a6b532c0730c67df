//! The one thread that drives what Rust waits for. It starts when somebody first waits, and ends with the interpreter.
//!
//! A fork copies no thread: it stands still meanwhile, so that no lock of its is taken in the child, and a child that
//! waits for something starts its own.

use std::mem;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::interval;

/// Locked only by threads that hold the interpreter and do not let go of it meanwhile, as forks do: it is free in the
/// child.
static STATE: Mutex<State> = Mutex::new(State::Idle);

/// Shorter than the time limits of most calls.
const TICK: Duration = Duration::from_secs(5);

static HOOKS: PyOnceLock<()> = PyOnceLock::new();

enum State {
    Idle,
    Running(Running),
    /// The interpreter ends.
    Stopped,
}

struct Running {
    handle: Handle,
    thread: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    /// What lets it go on after a fork.
    standing: Option<Sender<()>>,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The runtime of this process.
///
/// # Errors
/// `RuntimeError` if it cannot be started, or the interpreter ends.
pub(super) fn handle(py: Python<'_>) -> PyResult<Handle> {
    HOOKS.get_or_try_init(py, || register_hooks(py))?;
    let mut state = state();
    match &*state {
        State::Running(running) => return Ok(running.handle.clone()),
        State::Stopped => return Err(PyRuntimeError::new_err("the interpreter ends: nothing is waited for")),
        State::Idle => {}
    }
    let running = start()?;
    let handle = running.handle.clone();
    *state = State::Running(running);
    Ok(handle)
}

fn start() -> PyResult<Running> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new().name("cpex".to_owned()).spawn(move || {
        runtime.spawn(tick());
        let _ = runtime.block_on(stopped);
        // Names that are being resolved are not waited for.
        runtime.shutdown_background();
    })?;
    Ok(Running { handle, thread, stop, standing: None })
}

/// Never ends. A timer wakes the thread if it is due before all others; so that a call with a time limit need not, one is
/// always due soon.
async fn tick() {
    let mut ticks = interval(TICK);
    loop {
        ticks.tick().await;
    }
}

fn register_hooks(py: Python<'_>) -> PyResult<()> {
    let hooks = PyDict::new(py);
    hooks.set_item("before", wrap_pyfunction!(stand_still, py)?)?;
    hooks.set_item("after_in_parent", wrap_pyfunction!(go_on, py)?)?;
    hooks.set_item("after_in_child", wrap_pyfunction!(forget, py)?)?;
    let os = py.import("os")?;
    // Windows does not fork.
    if let Some(register) = os.getattr_opt("register_at_fork")? {
        register.call((), Some(&hooks))?;
    }
    py.import("atexit")?.call_method1("register", (wrap_pyfunction!(stop, py)?,))?;
    Ok(())
}

fn running_handle() -> Option<Handle> {
    match &*state() {
        State::Running(running) => Some(running.handle.clone()),
        State::Idle | State::Stopped => None,
    }
}

/// Has the thread wait, between two tasks, for the fork to be over.
#[pyfunction]
fn stand_still(py: Python<'_>) {
    let Some(handle) = running_handle() else { return };
    let (arrived, arrival) = channel();
    let (go_on, leave) = channel::<()>();
    handle.spawn(async move {
        let _ = arrived.send(());
        // Blocks the thread, which is what is asked for.
        let _ = leave.recv();
    });
    // It may be about to ask for the interpreter.
    py.detach(move || {
        let _ = arrival.recv();
    });
    if let State::Running(running) = &mut *state() {
        running.standing = Some(go_on);
    }
}

/// The fork is over.
#[pyfunction]
fn go_on() {
    if let State::Running(running) = &mut *state() {
        running.standing = None;
    }
}

/// In the child there is no such thread, and nothing that is to be waited for.
#[pyfunction]
fn forget() {
    mem::forget(mem::replace(&mut *state(), State::Idle));
}

/// Drops what is under way, and waits for the thread to end.
#[pyfunction]
fn stop(py: Python<'_>) {
    let before = mem::replace(&mut *state(), State::Stopped);
    if let State::Running(Running { thread, stop, .. }) = before {
        let _ = stop.send(());
        // Whoever is dropped may ask for the interpreter.
        py.detach(|| {
            let _ = thread.join();
        });
    }
}
