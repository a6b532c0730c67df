//! What drives calls that take longer: threads that start with the first of these, in each process.

use std::mem;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

/// Locked only with the interpreter held, as forks are: it is free in a forked child.
static RUNTIME: Mutex<Option<(u32, Runtime)>> = Mutex::new(None);

fn runtime() -> MutexGuard<'static, Option<(u32, Runtime)>> {
    RUNTIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it is this process that has started it.
pub(crate) fn is_of_this_process() -> bool {
    runtime().as_ref().is_some_and(|(of, _)| *of == process::id())
}

/// The runtime of this process.
///
/// # Errors
/// There can be no threads.
pub(crate) fn handle() -> std::io::Result<Handle> {
    let mut runtime = runtime();
    let process = process::id();
    if let Some((of, runtime)) = &*runtime
        && *of == process
    {
        return Ok(runtime.handle().clone());
    }
    let new = Builder::new_multi_thread().thread_name("cpex-wasm").build()?;
    let handle = new.handle().clone();
    // A fork copies no thread: waiting for the parent's would last for ever.
    mem::forget(runtime.replace((process, new)));
    Ok(handle)
}
