//! Plugins come and go: loaded one after another, replaced at run time, shut down in reverse order.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cpex_core::{Condition, Entry as CoreEntry, LineUp, Slots};
use futures_util::FutureExt;
use hashbrown::HashMap;

use crate::builder::Rules;
use crate::config::{Mode, PluginConfig};
use crate::error::{BoxError, Error};
use crate::handler::Dynamic;
use crate::hook::HookTypes;
use crate::payload::Json;
use crate::plan::{HookPlan, Missing, Plan, Registered, Slot};
use crate::plugin::{BoxFuture, Handlers, Plugin, Registration, Sees};
use crate::unavailable::{self, Unavailable};

/// A plugin that is configured, and what has become of it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) config: Arc<PluginConfig>,
    pub(crate) source: Source,
    pub(crate) state: State,
}

/// Where an instance comes from.
#[derive(Clone)]
pub(crate) enum Source {
    /// The application has made it.
    Ready(Arc<dyn Plugin>),
    /// A factory makes it, by its kind.
    Kind,
}

/// What has become of an entry.
#[derive(Clone)]
pub(crate) enum State {
    /// Nothing yet, or it is disabled.
    Idle,
    Loaded(Arc<Registered>),
    Failed(LoadFailure),
}

/// A configured plugin that is not running, and why. Names no secret of its configuration.
///
/// ```
/// use cpex::config::Config;
/// use cpex::lifecycle::LoadPhase;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let config = Config::parse("plugins: [{name: guard, kind: no.Such}]", "plugins.yaml")?;
/// let manager = cpex::Manager::builder().config(config).start().await?;
/// let failure = &manager.load_failures().await[0];
/// assert_eq!((&*failure.name, failure.phase), ("guard", LoadPhase::Find));
/// # Ok::<(), cpex::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadFailure {
    /// Name of the plugin.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// How far it came.
    pub phase: LoadPhase,
    /// Why it came no further.
    pub error: String,
    /// File, line and column of its entry; `None` if it was not read from a file.
    pub place: Option<String>,
}

/// How far the loading of a plugin came.
///
/// ```
/// assert_eq!(cpex::lifecycle::LoadPhase::Initialize.to_string(), "initialize");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPhase {
    /// There is no such kind.
    Find,
    /// Its factory failed.
    Construct,
    /// Its `initialize` failed.
    Initialize,
    /// It does not fit the hooks it is meant for.
    Register,
}

impl Entry {
    pub(crate) fn new(config: PluginConfig, source: Source) -> Self {
        Self { config: Arc::new(config), source, state: State::Idle }
    }

    pub(crate) fn registered(&self) -> Option<&Arc<Registered>> {
        match &self.state {
            State::Loaded(registered) => Some(registered),
            State::Idle | State::Failed(_) => None,
        }
    }

    /// Loads the plugin, unless it is loaded or disabled.
    ///
    /// # Errors
    /// Why not, if the manager must not start without it.
    pub(crate) async fn load(&mut self, rules: &Rules) -> Result<(), Error> {
        if self.config.mode == Mode::Disabled || self.registered().is_some() {
            return Ok(());
        }
        let config = &self.config;
        match load(config, &self.source, rules).await {
            Ok(registered) => {
                tracing::info!(plugin = config.name, mode = ?config.mode, "loaded");
                self.state = State::Loaded(Arc::new(registered));
            }
            Err((phase, error)) => {
                let failure = LoadFailure {
                    name: config.name.clone(),
                    kind: config.kind.clone(),
                    phase,
                    error: error.to_string(),
                    place: config.origin.as_ref().map(crate::config::Origin::place),
                };
                tracing::error!(plugin = config.name, %phase, "cannot be loaded: {failure}");
                // A plugin that names no hook cannot be stood in for: it must not pass silently.
                let nobody_denies = config.denies_if_missing && config.hooks.is_empty();
                if config.required || rules.fail_on_plugin_error || nobody_denies {
                    return Err(Error::Load(failure));
                }
                self.state = State::Failed(failure);
            }
        }
        Ok(())
    }

    /// Shuts the plugin down, if it is loaded. An error or a panic of it is logged.
    pub(crate) async fn unload(&mut self) {
        if let State::Loaded(registered) = std::mem::replace(&mut self.state, State::Idle)
            && let Err(error) = guarded(|| registered.plugin.shutdown()).await
        {
            tracing::error!(plugin = registered.name(), %error, "failed to shut down");
        }
    }
}

async fn load(
    config: &Arc<PluginConfig>,
    source: &Source,
    rules: &Rules,
) -> Result<Registered, (LoadPhase, BoxError)> {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    let plugin = match source {
        Source::Ready(plugin) => plugin.clone(),
        Source::Kind => {
            let factory =
                rules.kinds.get(&config.kind).ok_or_else(|| (LoadPhase::Find, unknown(config, rules)))?;
            let made = std::panic::catch_unwind(AssertUnwindSafe(|| factory(config)));
            made.unwrap_or_else(|_| Err("its factory panicked".into()))
                .map_err(|error| (LoadPhase::Construct, error))?
        }
    };
    guarded(|| plugin.initialize()).await.map_err(|error| (LoadPhase::Initialize, error))?;
    let registered =
        Registered { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), config: config.clone(), plugin };
    match check(&registered, &mut rules.types.clone()) {
        Ok(()) => Ok(registered),
        Err(error) => {
            let _ = guarded(|| registered.plugin.shutdown()).await;
            Err((LoadPhase::Register, error.into()))
        }
    }
}

fn unknown(config: &PluginConfig, rules: &Rules) -> BoxError {
    let mut known: Vec<_> = rules.kinds.keys().map(String::as_str).collect();
    known.sort_unstable();
    let hint = cpex_config::nearest(&config.kind, known.iter().copied())
        .map(|nearest| format!("; did you mean {nearest:?}?"))
        .unwrap_or_default();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("no kind {:?} is registered{hint} Registered: {known}", config.kind).into()
}

/// Calls a plugin's own code: a panic is an error.
async fn guarded<'a>(call: impl FnOnce() -> BoxFuture<'a, Result<(), BoxError>>) -> Result<(), BoxError> {
    let run = async move { call().await };
    AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| Err("it panicked".into()))
}

/// The handlers that a plugin attaches with: those of the hooks its entry names, or all.
fn attached(registered: &Registered) -> impl Iterator<Item = Registration> {
    let hooks = &registered.config.hooks;
    let named = |hook: &str| hooks.is_empty() || hooks.iter().any(|name| name == hook);
    Handlers::of(registered.plugin.clone()).into_iter().filter(move |handler| named(&handler.hook))
}

/// Does a plugin fit the hooks that its entry names?
fn check(registered: &Registered, types: &mut HookTypes) -> Result<(), Error> {
    let name = registered.name();
    let handlers: Vec<_> = attached(registered).collect();
    let lacking = registered.config.hooks.iter().find(|hook| !handlers.iter().any(|it| *it.hook == ***hook));
    if let Some(hook) = lacking {
        return Err(Error::NoHandler { plugin: name.to_owned(), hook: hook.clone() });
    }
    handlers.iter().try_for_each(|handler| settle(name, handler, types))
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
    for registered in entries.iter().filter_map(Entry::registered) {
        attached(registered).try_for_each(|handler| settle(registered.name(), &handler, &mut types))?;
    }
    let mut hooks: HashMap<Box<str>, Attached> = HashMap::new();
    for entry in entries {
        match &entry.state {
            State::Idle => {}
            State::Loaded(registered) => {
                for Registration { hook, handler, .. } in attached(registered) {
                    let carried = types.get(&hook);
                    let handler = if handler.takes() == carried.payload {
                        handler
                    } else {
                        Arc::new(Dynamic { handler, hook: carried })
                    };
                    let core = core_entry(&hook, Slot { plugin: registered.clone(), handler });
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
    let hooks = hooks.into_iter().map(|(name, (line_up, missing))| HookPlan {
        types: types.get(&name),
        line_up: LineUp::new(line_up),
        settings: rules.settings_of(&name),
        writable: rules.policies.get(&*name).cloned().unwrap_or_default(),
        missing: missing.into(),
        name,
    });
    Ok(Plan::new(hooks.collect()))
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

impl fmt::Display for LoadFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        match &self.place {
            Some(place) if !self.error.starts_with(place.split(':').next().unwrap_or_default()) => {
                write!(f, " ({place})")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for LoadFailure {}

impl fmt::Display for LoadPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Find => "find",
            Self::Construct => "construct",
            Self::Initialize => "initialize",
            Self::Register => "register",
        })
    }
}
