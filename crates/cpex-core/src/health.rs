//! Which plugins were disabled at run time.

use alloc::boxed::Box;

use hashbrown::HashSet;

/// The names of plugins that `on_error: disable` took out of service, for every hook.
#[derive(Clone, Debug, Default)]
pub struct Health {
    disabled: HashSet<Box<str>>,
}

impl Health {
    /// Takes a plugin out of service. True if it was in service.
    pub fn disable(&mut self, plugin: &str) -> bool {
        self.disabled.insert(plugin.into())
    }

    /// Is the plugin out of service?
    #[must_use]
    pub fn is_disabled(&self, plugin: &str) -> bool {
        self.disabled.contains(plugin)
    }

    /// Puts a plugin back into service.
    pub fn enable(&mut self, plugin: &str) {
        self.disabled.remove(plugin);
    }

    /// Puts every plugin back into service.
    pub fn reset(&mut self) {
        self.disabled.clear();
    }
}
