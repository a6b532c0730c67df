//! The instances of a plugin.

use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::guest::Guest;

/// As many instances as calls may run, and those that may be used again.
pub(crate) struct Pool {
    instances: usize,
    places: Mutex<Places>,
    idle: Mutex<Vec<Guest>>,
    reuse: bool,
}

/// Those of one process. In a forked one, calls that were under way in its parent never give theirs back.
struct Places {
    process: u32,
    free: Arc<Semaphore>,
}

/// A call's right to an instance.
pub(crate) struct Place<'p> {
    pool: &'p Pool,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    fn new(instances: usize) -> Self {
        Self { process: process::id(), free: Arc::new(Semaphore::new(instances)) }
    }
}

impl Pool {
    pub(crate) fn new(instances: usize, reuse: bool) -> Self {
        Self { instances, places: Mutex::new(Places::new(instances)), idle: Mutex::default(), reuse }
    }

    /// Waits until a further instance may run.
    pub(crate) async fn place(&self) -> Place<'_> {
        // The semaphore is never closed.
        let permit = self.places().acquire_owned().await.expect("a place");
        Place { pool: self, _permit: permit }
    }

    fn places(&self) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.process != process::id() {
            *places = Places::new(self.instances);
        }
        places.free.clone()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Guest>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// An instance that others have used, if there is one.
    pub(crate) fn used(&self) -> Option<Guest> {
        self.pool.idle().pop()
    }

    /// Takes an instance back that has answered.
    pub(crate) fn leave(self, guest: Guest) {
        if self.pool.reuse {
            self.pool.idle().push(guest);
        }
    }
}
