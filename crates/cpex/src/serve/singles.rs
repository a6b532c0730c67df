//! Each plugin at each of its hooks, alone.

use std::iter::once;
use std::sync::Arc;

use cpex_core::LineUp;
use cpex_core::payload::Rule;
use hashbrown::HashMap;

use crate::lease::Lease;
use crate::metrics::HookMetrics;
use crate::plan::{HookPlan, Plan, Registered};

/// A plan, taken apart: each entry of each hook is one of its own, without conditions and policies.
pub(super) struct Singles {
    /// What was taken apart.
    of: Arc<Plan>,
    pub(super) plan: Arc<Plan>,
    /// By plugin, then by hook.
    places: HashMap<Box<str>, HashMap<Box<str>, usize>>,
}

impl Singles {
    pub(super) fn new(of: &Arc<Plan>) -> Self {
        let (mut hooks, mut places) = (Vec::new(), HashMap::<Box<str>, HashMap<_, _>>::new());
        for hook in of.hooks() {
            for entry in hook.line_up.entries() {
                let name = entry.plugin.plugin.name();
                places.entry(name.into()).or_default().insert(hook.name.clone(), hooks.len());
                let mut entry = entry.clone();
                entry.conditions = Box::default();
                hooks.push(HookPlan {
                    name: hook.name.clone(),
                    types: hook.types,
                    metrics: Arc::new(HookMetrics::new(&hook.name, once(name))),
                    line_up: LineUp::new(vec![entry]),
                    settings: cpex_core::Settings { rule: Rule::Open, raise_denials: false, ..hook.settings },
                    writable: Box::default(),
                    missing: Box::default(),
                });
            }
        }
        // Whoever calls one of them holds the lease of the whole.
        Self { of: of.clone(), plan: Arc::new(Plan::new(hooks, Lease::new(std::iter::empty()))), places }
    }

    pub(super) fn is_of(&self, plan: &Arc<Plan>) -> bool {
        Arc::ptr_eq(&self.of, plan)
    }

    /// The place of a plugin at a hook, among the hooks of the plan.
    pub(super) fn find(&self, plugin: &str, hook: &str) -> Option<usize> {
        self.places.get(plugin)?.get(hook).copied()
    }

    /// The plugins, in the order in which they run, each with its hooks.
    pub(super) fn plugins(&self) -> Vec<(&Registered, Vec<&str>)> {
        let mut plugins: Vec<(&Registered, Vec<&str>)> = Vec::new();
        for hook in self.plan.hooks() {
            for entry in hook.line_up.entries() {
                let plugin = &*entry.plugin.plugin;
                match plugins.iter_mut().find(|(known, _)| known.name() == plugin.name()) {
                    Some((_, hooks)) => hooks.push(&hook.name),
                    None => plugins.push((plugin, vec![&hook.name])),
                }
            }
        }
        plugins
    }
}
