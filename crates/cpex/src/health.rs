//! Which plugins are out of service.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hashbrown::HashSet;

/// The plugins out of service, by name, for every hook. Asked by every call, written hardly ever.
#[derive(Default)]
pub(crate) struct Health {
    /// False as long as none is: the common case asks nothing else.
    any: AtomicBool,
    disabled: ArcSwap<HashSet<String>>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Health {
    pub(crate) fn disable(&self, plugin: &str) {
        self.change(|disabled| {
            disabled.insert(plugin.to_owned());
        });
    }

    pub(crate) fn is_disabled(&self, plugin: &str) -> bool {
        self.any.load(Ordering::Acquire) && self.disabled.load().contains(plugin)
    }

    pub(crate) fn enable(&self, plugin: &str) {
        self.change(|disabled| {
            disabled.remove(plugin);
        });
    }

    pub(crate) fn reset(&self) {
        self.change(HashSet::clear);
    }

    fn change(&self, change: impl FnOnce(&mut HashSet<String>)) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut disabled = HashSet::clone(&self.disabled.load());
        change(&mut disabled);
        let any = !disabled.is_empty();
        self.disabled.store(Arc::new(disabled));
        self.any.store(any, Ordering::Release);
    }
}
