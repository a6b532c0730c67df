//! Plugins as the manager knows them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::plugin::{Handler, Plugin};

/// A plugin that was loaded.
pub(crate) struct Registered {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) plugin: Arc<dyn Plugin>,
}

/// A plugin at a hook.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) plugin: Arc<Registered>,
    pub(crate) handler: Arc<dyn Handler>,
}

/// The plugins that `on_error: disable` took out of service.
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

    pub(crate) fn reset(&self) {
        self.lock().reset();
        self.any.store(false, Ordering::Release);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, cpex_core::health::Health> {
        self.disabled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
