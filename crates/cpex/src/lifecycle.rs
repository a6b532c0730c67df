//! Plugins come and go: loaded one after another, kept when their entry changes, shut down in reverse order.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::builder::Rules;
use crate::config::{Mode, PluginConfig};
use crate::error::{BoxError, Error};
use crate::factory;
pub use crate::failure::{LoadFailure, LoadPhase};
use crate::lease::InUse;
use crate::plan::Registered;
use crate::planning::check;
use crate::plugin::{BoxFuture, Plugin};
use crate::{metrics, narrator};

/// A plugin that is configured, and what has become of it.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) config: Arc<PluginConfig>,
    source: Source,
    pub(crate) state: State,
    /// Its entry in the line-up that this one is to replace, if it has an instance there.
    before: Option<Arc<PluginConfig>>,
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
    /// It was loaded under another configuration.
    Kept(Instance),
    Loaded(Instance),
    Failed(LoadFailure),
}

/// A plugin that was loaded, and who may call it.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) registered: Arc<Registered>,
    pub(crate) in_use: Arc<InUse>,
}

/// Why an entry has no instance.
pub(crate) enum Obstacle {
    /// Something that another configuration, or another time, may mend.
    Entry(LoadPhase, BoxError),
    /// The application is wrong, in Rust.
    Code(Error),
}

/// A plugin that no entry has any more.
pub(crate) struct Leaving {
    pub(crate) registered: Arc<Registered>,
    /// Cancelled when the last call of it has ended.
    gone: CancellationToken,
}

impl Entry {
    pub(crate) fn new(config: PluginConfig, source: Source) -> Self {
        Self { config: Arc::new(config), source, state: State::Idle, before: None }
    }

    /// A plugin that the application has made.
    pub(crate) fn ready<T: Plugin>(mut config: PluginConfig, plugin: T) -> Self {
        if config.kind.is_empty() {
            config.kind = std::any::type_name::<T>().to_owned();
        }
        Self::new(config, Source::Ready(Arc::new(plugin)))
    }

    pub(crate) const fn is_ready_made(&self) -> bool {
        matches!(self.source, Source::Ready(_))
    }

    pub(crate) const fn instance(&self) -> Option<&Instance> {
        match &self.state {
            State::Loaded(instance) | State::Kept(instance) => Some(instance),
            State::Idle | State::Failed(_) => None,
        }
    }

    /// The same plugin under another configuration. Its instance stays unless it would be made in another way.
    pub(crate) fn with(&self, config: PluginConfig) -> Self {
        let made_alike = factory::makes_alike(&self.config, &config);
        let state = match &self.state {
            State::Loaded(instance) | State::Kept(instance) if self.is_ready_made() || made_alike => {
                State::Kept(instance.clone())
            }
            _ => State::Idle,
        };
        let before = self.instance().map(|_| self.config.clone());
        Self { config: Arc::new(config), source: self.source.clone(), state, before }
    }

    /// The same, to be loaded if it could not be before.
    pub(crate) fn again(&self) -> Self {
        let state = match &self.state {
            State::Failed(_) => State::Idle,
            other => other.clone(),
        };
        Self { state, ..self.clone() }
    }

    /// Is it still to be loaded, and to hooks that it does not answer already?
    pub(crate) fn comes_to_hooks(&self) -> bool {
        let alike = |before: &Arc<PluginConfig>| {
            (&before.kind, &before.hooks) == (&self.config.kind, &self.config.hooks)
        };
        matches!(self.state, State::Idle | State::Kept(_)) && !self.before.as_ref().is_some_and(alike)
    }

    /// Must the manager not start without it, or a change not lose it?
    pub(crate) fn is_needed(&self, rules: &Rules) -> bool {
        self.config.required || rules.fail_on_plugin_error || self.before.is_some()
    }

    /// Loads the plugin, unless it is loaded or disabled.
    ///
    /// # Errors
    /// Why not, if the manager must not start without it, a change must not lose it, or the application is wrong.
    pub(crate) async fn load(&mut self, rules: &Rules) -> Result<(), Error> {
        let config = &self.config;
        let loaded = match &self.state {
            State::Loaded(_) | State::Failed(_) => return Ok(()),
            State::Kept(instance) => instance.under(config, rules),
            State::Idle if config.mode == Mode::Disabled => return Ok(()),
            State::Idle => load(config, &self.source, rules).await,
        };
        self.state = match loaded {
            Ok(instance) => State::Loaded(instance),
            Err(Obstacle::Code(error)) => return Err(error),
            Err(Obstacle::Entry(phase, error)) => {
                let failure = LoadFailure::new(config, phase, &*error);
                narrator::load_failed(&failure);
                metrics::load_failed(&failure);
                // A plugin that names no hook cannot be stood in for: it must not pass silently.
                let nobody_denies = config.denies_if_missing && config.hooks.is_empty();
                if self.is_needed(rules) || nobody_denies {
                    return Err(Error::Load(failure));
                }
                State::Failed(failure)
            }
        };
        Ok(())
    }

    /// Gives its instance up.
    pub(crate) fn leave(&mut self) -> Option<Leaving> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Loaded(Instance { registered, in_use }) | State::Kept(Instance { registered, in_use }) => {
                Some(Leaving { registered, gone: in_use.gone() })
            }
            other => {
                self.state = other;
                None
            }
        }
    }
}

impl Instance {
    pub(crate) fn id(&self) -> u64 {
        self.registered.id
    }

    /// The same instance under another configuration.
    fn under(&self, config: &Arc<PluginConfig>, rules: &Rules) -> Result<Self, Obstacle> {
        let Registered { id, plugin, .. } = &*self.registered;
        let registered = Registered { id: *id, config: plugin.complete(config), plugin: plugin.clone() };
        let instance = Self { registered: Arc::new(registered), in_use: self.in_use.clone() };
        check(&instance, &mut rules.types.clone())?;
        Ok(instance)
    }
}

async fn load(config: &Arc<PluginConfig>, source: &Source, rules: &Rules) -> Result<Instance, Obstacle> {
    static NEXT_ID: AtomicU64 = AtomicU64::new(1);
    let plugin = match source {
        Source::Ready(plugin) => plugin.clone(),
        Source::Kind => {
            let made = std::panic::catch_unwind(AssertUnwindSafe(|| factory::make(config, rules)));
            made.unwrap_or_else(|_| Err((LoadPhase::Construct, "its factory panicked".into())))
                .map_err(|(phase, error)| Obstacle::Entry(phase, error))?
        }
    };
    guarded(|| plugin.initialize()).await.map_err(|error| Obstacle::Entry(LoadPhase::Initialize, error))?;
    let (id, config) = (NEXT_ID.fetch_add(1, Ordering::Relaxed), plugin.complete(config));
    let registered = Registered { id, config: config.clone(), plugin };
    let instance = Instance { registered: Arc::new(registered), in_use: InUse::new() };
    match check(&instance, &mut rules.types.clone()) {
        Ok(()) => {
            tracing::info!(plugin = config.name, mode = config.mode.word(), "loaded");
            Ok(instance)
        }
        Err(obstacle) => {
            let _ = guarded(|| instance.registered.plugin.shutdown()).await;
            Err(obstacle)
        }
    }
}

/// Calls a plugin's own code: a panic is an error.
async fn guarded<'a>(call: impl FnOnce() -> BoxFuture<'a, Result<(), BoxError>>) -> Result<(), BoxError> {
    let run = async move { call().await };
    AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| Err("it panicked".into()))
}

/// Waits until the last call of each of these has ended, or the time is over.
pub(crate) async fn unused(leaving: &[Leaving], limit: Duration) {
    let ends = join_all(leaving.iter().map(|plugin| plugin.gone.cancelled()));
    let _ = tokio::time::timeout(limit, ends).await;
}

/// Shuts plugins down, the last one loaded first; each may take this long. What goes wrong is logged.
pub(crate) async fn shut_down(leaving: Vec<Leaving>, limit: Duration) {
    for Leaving { registered, gone } in leaving.into_iter().rev() {
        let name = registered.name();
        if !gone.is_cancelled() {
            tracing::warn!(
                plugin = name,
                ?limit,
                "calls under way take too long: it is shut down beneath them"
            );
        }
        match tokio::time::timeout(limit, guarded(|| registered.plugin.shutdown())).await {
            Ok(Ok(())) => tracing::debug!(plugin = name, "shut down"),
            Ok(Err(error)) => tracing::error!(plugin = name, %error, "failed to shut down"),
            Err(_) => tracing::error!(plugin = name, ?limit, "took too long to shut down"),
        }
    }
}
