//! Who runs for a hook, in which order: worked out once, shared by every invocation.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use hashbrown::HashMap;

use crate::capability::{Capabilities, Slots};
use crate::condition::{self, Condition, Facts};
use crate::phase::Phase;
use crate::record::Skip;
use crate::verdict::OnError;

/// One plugin at one hook.
#[derive(Clone, Debug)]
pub struct Entry<P> {
    /// What the host calls the plugin; the core hands it back and never looks inside.
    pub plugin: P,
    /// In which phase it runs.
    pub phase: Phase,
    /// Lower runs earlier within a phase.
    pub priority: i64,
    /// What a failure of it means.
    pub on_error: OnError,
    /// How long it may take, if it has a limit of its own.
    pub timeout: Option<Duration>,
    /// What it may do with the extensions.
    pub capabilities: Capabilities,
    /// What it is shown of them: [`Capabilities::visible`], or nothing if it does not take them.
    pub shown: Slots,
    /// When it runs: if any of these matches, or always if there are none.
    pub conditions: Box<[Condition]>,
}

impl<P> Entry<P> {
    /// Why it does not take part in a request, if it does not.
    pub fn skip(&self, facts: &Facts<'_>, is_disabled: impl FnOnce(&P) -> bool) -> Option<Skip> {
        if is_disabled(&self.plugin) {
            return Some(Skip::Disabled);
        }
        condition::check_any(&self.conditions, facts).err().map(Skip::Condition)
    }
}

/// The plugins of one hook in the order in which they run: by phase, then priority, then registration.
#[derive(Clone, Debug)]
pub struct LineUp<P> {
    entries: Box<[Entry<P>]>,
    conditional: bool,
}

impl<P> LineUp<P> {
    /// Puts entries, given in the order of their registration, into the order of their running.
    #[must_use]
    pub fn new(mut entries: Vec<Entry<P>>) -> Self {
        in_running_order(&mut entries);
        let conditional = entries.iter().any(|entry| !entry.conditions.is_empty());
        Self { entries: entries.into(), conditional }
    }

    /// The entries, in running order.
    #[must_use]
    pub fn entries(&self) -> &[Entry<P>] {
        &self.entries
    }

    /// Has any entry a condition? If not, a driver need not gather facts.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        self.conditional
    }

    /// Has any entry this phase?
    #[must_use]
    pub fn has(&self, phase: Phase) -> bool {
        self.entries.iter().any(|entry| entry.phase == phase)
    }
}

/// Puts entries, given in the order of their registration, into the order of their running.
pub fn in_running_order<P>(entries: &mut [Entry<P>]) {
    entries.sort_by_key(|entry| (entry.phase, entry.priority));
}

/// Every hook's line-up. Immutable: a change makes a new one.
#[derive(Debug)]
pub struct Plan<P> {
    hooks: HashMap<Box<str>, Arc<LineUp<P>>>,
}

impl<P> Default for Plan<P> {
    fn default() -> Self {
        Self { hooks: HashMap::new() }
    }
}

impl<P> Plan<P> {
    /// The line-up of a hook, if any plugin attaches to it.
    #[must_use]
    pub fn line_up(&self, hook: &str) -> Option<&Arc<LineUp<P>>> {
        self.hooks.get(hook)
    }

    /// The same plan with another line-up for one hook.
    #[must_use]
    pub fn with(&self, hook: &str, line_up: Arc<LineUp<P>>) -> Self {
        let mut hooks = self.hooks.clone();
        hooks.insert(hook.into(), line_up);
        Self { hooks }
    }
}
