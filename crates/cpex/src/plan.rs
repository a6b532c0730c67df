//! Who runs for which hook: worked out when plugins come or go, shared by every invocation until then.

use std::fmt;
use std::ops::BitOr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use cpex_core::{LineUp, Settings};
use hashbrown::HashMap;

use crate::clock;
use crate::config::PluginConfig;
use crate::handler::Handler;
use crate::hook::{self, HookType};
use crate::lease::Lease;
use crate::metrics::HookMetrics;
use crate::payload::Kind;
use crate::plugin::Plugin;

/// The plan in force.
pub(crate) struct Current {
    plan: ArcSwap<Plan>,
    /// The [bits](hook::bit) of the hooks that the plan knows: most hooks of an application have no plugin, and need
    /// not look.
    known: AtomicU64,
}

impl Default for Current {
    fn default() -> Self {
        Self { plan: ArcSwap::default(), known: AtomicU64::new(u64::MAX) }
    }
}

impl Current {
    pub(crate) fn load(&self) -> Guard<Arc<Plan>> {
        self.plan.load()
    }

    /// Puts another plan into force; nobody else may use the plugins of the one before. One plan is stored at a time; who
    /// invokes a hook meanwhile may find either.
    pub(crate) fn store(&self, plan: Arc<Plan>) {
        let known = plan.known();
        self.known.store(u64::MAX, Ordering::Release);
        self.plan.swap(plan).lease.store(None);
        self.known.store(known, Ordering::Release);
    }

    /// Is the plan one that is carried out, and does it surely not know a hook with this bit?
    pub(crate) fn lacks(&self, bit: u64) -> bool {
        self.known.load(Ordering::Acquire) & bit == 0
    }
}

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
    pub(crate) metrics: Arc<HookMetrics>,
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
        clock::calibrate();
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

    /// The bits of its hooks; all of them if it is not carried out, which every hook has to be told.
    fn known(&self) -> u64 {
        match self.stage {
            Stage::Running => self.hooks.iter().map(|plan| hook::bit(&plan.name)).fold(0, BitOr::bitor),
            Stage::NotInitialized | Stage::ShutDown => u64::MAX,
        }
    }

    pub(crate) fn find(&self, hook: &str) -> Option<usize> {
        self.by_name.get(hook).copied()
    }

    #[cfg(feature = "external")]
    pub(crate) fn hooks(&self) -> &[HookPlan] {
        &self.hooks
    }

    pub(crate) fn hook(&self, index: usize) -> &HookPlan {
        &self.hooks[index]
    }
}

impl HookPlan {
    /// Is it about such a payload, and does it return such a reply?
    pub(crate) fn carries(&self, payload: Kind, reply: Kind) -> bool {
        self.types.payload == payload && self.types.reply == reply
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.plugin.name()).finish()
    }
}
