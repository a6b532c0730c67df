//! Works out who runs for which hook, and whether the types fit.

use std::sync::Arc;

use cpex_config::Step;
use cpex_core::{Condition, Entry as CoreEntry, LineUp, Slots};
use hashbrown::HashMap;

use crate::builder::Rules;
use crate::config::PluginConfig;
use crate::error::Error;
use crate::failure::LoadPhase;
use crate::handler::Dynamic;
use crate::hook::HookTypes;
use crate::lease::Lease;
use crate::lifecycle::{Entry, Instance, Obstacle, State};
use crate::metrics::HookMetrics;
use crate::payload::Json;
use crate::plan::{HookPlan, Missing, Plan, Registered, Slot};
use crate::plugin::{Handlers, Plugin, Registration, Sees};
use crate::unavailable::{self, Unavailable};

/// The handlers that a plugin attaches with: those of the hooks its entry names, or all.
pub(crate) fn attached(Instance { registered, in_use }: &Instance) -> impl Iterator<Item = Registration> {
    let hooks = &registered.config.hooks;
    let named = |hook: &str| hooks.is_empty() || hooks.iter().any(|name| name == hook);
    Handlers::of(registered.plugin.clone(), in_use).into_iter().filter(move |handler| named(&handler.hook))
}

/// Does a plugin fit the hooks that its entry names?
///
/// # Errors
/// That it does not, and what would.
pub(crate) fn check(instance: &Instance, types: &mut HookTypes) -> Result<(), Obstacle> {
    let Instance { registered, in_use } = instance;
    let (name, config) = (registered.name(), &registered.config);
    let handlers = Handlers::of(registered.plugin.clone(), in_use);
    let answered = || handlers.iter().map(|handler| &*handler.hook);
    let lacking = config.hooks.iter().enumerate().find(|(_, hook)| !answered().any(|it| it == hook.as_str()));
    if let Some((index, hook)) = lacking {
        return Err(no_handler(config, index, hook, answered()));
    }
    let settled = attached(instance).try_for_each(|handler| settle(name, &handler, types));
    settled.map_err(Obstacle::Code)
}

fn no_handler<'a>(
    config: &PluginConfig,
    index: usize,
    hook: &str,
    answered: impl Iterator<Item = &'a str>,
) -> Obstacle {
    if config.origin.is_none() {
        return Obstacle::Code(Error::NoHandler { plugin: config.name.clone(), hook: hook.to_owned() });
    }
    let answered: Vec<_> = answered.collect();
    let hint = match cpex_config::nearest(hook, answered.iter().copied()) {
        Some(nearest) => format!("did you mean {nearest:?}?"),
        None => format!("it answers: {}", answered.join(", ")),
    };
    let problem = format!("the plugin has no handler for hook {hook:?}; {hint}");
    let error = config.problem(&[Step::Key("hooks"), Step::Index(index)], problem);
    Obstacle::Entry(LoadPhase::Register, error.into())
}

/// Makes the types of a handler's hook known, or finds that they are others. Whoever takes JSON fits anywhere.
fn settle(plugin: &str, handler: &Registration, types: &mut HookTypes) -> Result<(), Error> {
    let Registration { hook, types: own, is_certain, .. } = handler;
    let takes_any = own.payload.is::<Json>() && !is_certain;
    let known = types.get(hook);
    if takes_any {
        return Ok(());
    }
    if !types.knows(hook) {
        types.add(hook, *own);
        return Ok(());
    }
    if own.payload == known.payload && (own.reply == known.reply || !is_certain) {
        return Ok(());
    }
    Err(Error::PayloadType {
        plugin: plugin.to_owned(),
        hook: hook.to_string(),
        takes: own.payload.name,
        carries: known.payload.name,
    })
}

/// Works out who runs for which hook.
///
/// # Errors
/// If two plugins take different payloads at the same hook.
pub(crate) fn plan(entries: &[Entry], rules: &Rules) -> Result<Plan, Error> {
    let mut types = rules.types.clone();
    for instance in entries.iter().filter_map(Entry::instance) {
        attached(instance)
            .try_for_each(|handler| settle(instance.registered.name(), &handler, &mut types))?;
    }
    let mut hooks: HashMap<Box<str>, Attached> = HashMap::new();
    for entry in entries {
        match &entry.state {
            State::Idle | State::Kept(_) => {}
            State::Loaded(instance) => {
                for Registration { hook, handler, .. } in attached(instance) {
                    let carried = types.get(&hook);
                    let handler = match handler.at(&carried) {
                        Some(made) => made,
                        None if handler.fits(&carried) => handler,
                        None => Arc::new(Dynamic { handler, hook: carried }),
                    };
                    let core = core_entry(&hook, Slot { plugin: instance.registered.clone(), handler });
                    hooks.entry(hook).or_default().0.extend(core);
                }
            }
            State::Failed(failure) => {
                for hook in &entry.config.hooks {
                    let hook: Box<str> = hook.as_str().into();
                    let (line_up, missing) = hooks.entry(hook.clone()).or_default();
                    missing.push(Missing { config: entry.config.clone(), why: failure.error.clone() });
                    if entry.config.denies_if_missing {
                        line_up.extend(stand_in(hook, &entry.config, &types));
                    }
                }
            }
        }
    }
    let hooks = hooks.into_iter().map(|(name, (line_up, missing))| {
        let line_up = line_up_of(line_up);
        let plugins = line_up.entries().iter().map(|entry| entry.plugin.plugin.name());
        HookPlan {
            types: types.get(&name),
            settings: rules.settings_of(&name),
            writable: rules.policies.get(&*name).cloned().unwrap_or_default(),
            missing: missing.into(),
            metrics: Arc::new(HookMetrics::new(&name, plugins)),
            line_up,
            name,
        }
    });
    let in_use = entries.iter().filter_map(|entry| Some(entry.instance()?.in_use.clone()));
    Ok(Plan::new(hooks.collect(), Lease::new(in_use)))
}

#[cfg_attr(not(feature = "builtin"), allow(unused_mut, reason = "nobody shares a walk"))]
fn line_up_of(mut entries: Vec<CoreEntry<Slot>>) -> LineUp<Slot> {
    #[cfg(feature = "builtin")]
    crate::builtin::link(&mut entries);
    LineUp::new(entries)
}

/// Who runs for a hook, and who is missing from it.
type Attached = (Vec<CoreEntry<Slot>>, Vec<Missing>);

fn core_entry(hook: &str, slot: Slot) -> Option<CoreEntry<Slot>> {
    let config = &slot.plugin.config;
    let sees = slot.handler.sees() == Sees::Extensions;
    Some(CoreEntry {
        phase: config.phase()?,
        priority: config.priority,
        on_error: config.on_error.into(),
        timeout: config.timeout,
        capabilities: config.capabilities,
        shown: if sees { config.capabilities.visible() } else { Slots::NONE },
        conditions: config
            .conditions
            .iter()
            .map(|condition| Condition::new(&condition.into(), hook))
            .collect(),
        plugin: slot,
    })
}

fn stand_in(hook: Box<str>, config: &Arc<PluginConfig>, types: &HookTypes) -> Option<CoreEntry<Slot>> {
    struct Nobody;
    impl Plugin for Nobody {
        fn handlers(self: Arc<Self>, _: &mut Handlers) {}
    }
    let types = types.get(&hook);
    let handler = Arc::new(Unavailable { hook: hook.clone(), types, config: config.clone() });
    let config = Arc::new(unavailable::entry(config));
    core_entry(
        &hook,
        Slot { plugin: Arc::new(Registered { id: 0, config, plugin: Arc::new(Nobody) }), handler },
    )
}
