//! Which plugins `on_error: disable` took out of service.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The plugins out of service, by name, for every hook.
#[derive(Default)]
pub(crate) struct Health {
    /// False as long as none is: the common case asks nothing else.
    any: AtomicBool,
    disabled: Mutex<cpex_core::health::Health>,
}

impl Health {
    pub(crate) fn disable(&self, plugin: &str) {
        self.lock().disable(plugin);
        self.any.store(true, Ordering::Release);
    }

    pub(crate) fn is_disabled(&self, plugin: &str) -> bool {
        self.any.load(Ordering::Acquire) && self.lock().is_disabled(plugin)
    }

    pub(crate) fn enable(&self, plugin: &str) {
        self.lock().enable(plugin);
    }

    pub(crate) fn reset(&self) {
        self.lock().reset();
        self.any.store(false, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, cpex_core::health::Health> {
        self.disabled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
