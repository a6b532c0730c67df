//! Who runs for which hook: worked out when plugins come or go, shared by every invocation until then.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};
use cpex_core::{LineUp, Settings};
use hashbrown::HashMap;

use crate::config::PluginConfig;
use crate::handler::Handler;
use crate::hook::HookType;
use crate::lease::Lease;
use crate::plugin::Plugin;

/// Every hook that a plugin attaches to, or would if it were there.
#[derive(Default)]
pub(crate) struct Plan {
    hooks: Vec<HookPlan>,
    by_name: HashMap<Box<str>, usize>,
    /// `None` once the plan is no longer in force.
    lease: ArcSwapOption<Lease>,
    pub(crate) stage: Stage,
}

/// Where a manager is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    #[default]
    NotInitialized,
    Running,
    ShutDown,
}

/// What runs for a hook, and under which rules.
pub(crate) struct HookPlan {
    pub(crate) name: Box<str>,
    pub(crate) types: HookType,
    pub(crate) line_up: LineUp<Slot>,
    pub(crate) settings: Settings,
    /// The fields that its policy lets plugins write.
    pub(crate) writable: Box<[String]>,
    /// What the report says about plugins that are not there.
    pub(crate) missing: Box<[Missing]>,
}

/// A plugin that is configured for a hook and not there.
pub(crate) struct Missing {
    pub(crate) config: Arc<PluginConfig>,
    pub(crate) why: String,
}

/// A plugin that was loaded.
pub(crate) struct Registered {
    pub(crate) id: u64,
    pub(crate) config: Arc<PluginConfig>,
    pub(crate) plugin: Arc<dyn Plugin>,
}

impl Registered {
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }
}

/// A plugin at a hook.
#[derive(Clone)]
pub(crate) struct Slot {
    pub(crate) plugin: Arc<Registered>,
    pub(crate) handler: Arc<dyn Handler>,
}

impl Plan {
    pub(crate) fn new(hooks: Vec<HookPlan>, lease: Lease) -> Self {
        let by_name = hooks.iter().enumerate().map(|(index, hook)| (hook.name.clone(), index)).collect();
        Self { hooks, by_name, lease: ArcSwapOption::from_pointee(lease), stage: Stage::Running }
    }

    pub(crate) fn shut_down() -> Self {
        Self { stage: Stage::ShutDown, ..Self::default() }
    }

    /// The right to use its plugins; `None` if another plan has taken its place.
    pub(crate) fn lease(&self) -> Guard<Option<Arc<Lease>>> {
        self.lease.load()
    }

    /// Lets nobody else use its plugins. Call it when another plan is in force.
    pub(crate) fn retire(&self) {
        self.lease.store(None);
    }

    pub(crate) fn find(&self, hook: &str) -> Option<usize> {
        self.by_name.get(hook).copied()
    }

    pub(crate) fn hook(&self, index: usize) -> &HookPlan {
        &self.hooks[index]
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.plugin.name()).finish()
    }
}
