//! The clock that interrupts what runs: a thread that counts the engines' epochs up while there are calls.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::engine::engines;

/// Whoever runs is looked at this often.
const TICK: Duration = Duration::from_millis(1);

/// So many ticks without a call, and the clock stands still: a host at rest rests, and one that calls now and then need
/// not wake it each time.
const PATIENCE: u32 = 100;

/// The process that the clock runs in: a fork copies no thread.
static PROCESS: AtomicU32 = AtomicU32::new(0);
static CALLS: AtomicU32 = AtomicU32::new(0);
static STANDS: AtomicBool = AtomicBool::new(false);
static THREAD: Mutex<Option<Thread>> = Mutex::new(None);

/// Time passes for the engines as long as there is one of these.
pub(crate) struct Ticking {
    process: u32,
}

impl Ticking {
    /// # Errors
    /// There can be no thread for the clock.
    pub(crate) fn begin() -> std::io::Result<Self> {
        let process = process::id();
        if PROCESS.load(SeqCst) != process {
            start(process)?;
        }
        CALLS.fetch_add(1, SeqCst);
        if STANDS.swap(false, SeqCst) {
            thread().as_ref().inspect(|clock| clock.unpark());
        }
        Ok(Self { process })
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        if self.process == PROCESS.load(SeqCst) {
            CALLS.fetch_sub(1, SeqCst);
        }
    }
}

fn start(process: u32) -> std::io::Result<()> {
    let mut thread = thread();
    if PROCESS.load(SeqCst) == process {
        return Ok(());
    }
    *thread = Some(thread::Builder::new().name("cpex-wasm-clock".to_owned()).spawn(run)?.thread().clone());
    // Calls that were under way when the process was forked are not its own.
    CALLS.store(0, SeqCst);
    PROCESS.store(process, SeqCst);
    Ok(())
}

fn thread() -> MutexGuard<'static, Option<Thread>> {
    THREAD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run() {
    let mut idle = 0;
    loop {
        thread::sleep(TICK);
        engines().for_each(wasmtime::Engine::increment_epoch);
        idle = if CALLS.load(SeqCst) == 0 { idle + 1 } else { 0 };
        if idle < PATIENCE {
            continue;
        }
        idle = 0;
        STANDS.store(true, SeqCst);
        // Whoever came before it stood has not woken it.
        while CALLS.load(SeqCst) == 0 && STANDS.load(SeqCst) {
            thread::park();
        }
    }
}
