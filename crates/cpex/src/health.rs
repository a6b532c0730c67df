//! Which plugins are out of service.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hashbrown::HashSet;

use crate::plan::Registered;

/// The plugins out of service, for every hook: instances, since a call that began before a plugin was replaced says
/// nothing about the one in its place. Asked by every call, written hardly ever.
#[derive(Default)]
pub(crate) struct Health {
    /// False as long as none is: the common case asks nothing else.
    any: AtomicBool,
    disabled: ArcSwap<HashSet<u64>>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Health {
    pub(crate) fn disable(&self, plugin: &Registered) {
        self.change(|disabled| {
            disabled.insert(plugin.id);
        });
    }

    pub(crate) fn is_disabled(&self, plugin: &Registered) -> bool {
        self.any.load(Ordering::Acquire) && self.disabled.load().contains(&plugin.id)
    }

    pub(crate) fn enable<'a>(&self, plugins: impl IntoIterator<Item = &'a Registered>) {
        self.change(|disabled| {
            for plugin in plugins {
                disabled.remove(&plugin.id);
            }
        });
    }

    pub(crate) fn reset(&self) {
        self.change(HashSet::clear);
    }

    fn change(&self, change: impl FnOnce(&mut HashSet<u64>)) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut disabled = HashSet::clone(&self.disabled.load());
        change(&mut disabled);
        let any = !disabled.is_empty();
        self.disabled.store(Arc::new(disabled));
        self.any.store(any, Ordering::Release);
    }
}
