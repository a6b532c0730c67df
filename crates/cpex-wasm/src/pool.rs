//! The instances of a plugin.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::guest::Guest;

/// As many instances as calls may run, and those that may be used again.
pub(crate) struct Pool {
    places: Semaphore,
    idle: Mutex<Vec<Guest>>,
    reuse: bool,
}

/// A call's right to an instance.
pub(crate) struct Place<'p> {
    pool: &'p Pool,
    _permit: SemaphorePermit<'p>,
}

impl Pool {
    pub(crate) fn new(instances: usize, reuse: bool) -> Self {
        let places = Semaphore::new(instances.min(Semaphore::MAX_PERMITS));
        Self { places, idle: Mutex::default(), reuse }
    }

    /// Waits until a further instance may run.
    pub(crate) async fn place(&self) -> Place<'_> {
        // The semaphore is never closed.
        let permit = self.places.acquire().await.expect("a place");
        Place { pool: self, _permit: permit }
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
