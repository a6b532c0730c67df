//! Putting a manager together.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use cpex_core::payload::Rule;
use cpex_core::{Entry, LineUp, OnError, Phase, Plan};
use tokio_util::task::TaskTracker;

use crate::context::PluginContext;
use crate::hook::Hook;
use crate::manager::{Inner, Manager, Settings};
use crate::payload::Payload;
use crate::plugin::{Closure, Handlers, Named, Plugin};
use crate::registered::{Health, Registered, Slot};
use crate::reply::IntoReply;

/// Puts a manager together.
pub struct Builder {
    plugins: Vec<(PluginEntry, Arc<dyn Plugin>)>,
    settings: Settings,
}

/// How a plugin takes part: what its entry in a configuration file would say.
#[derive(Clone, Debug)]
pub struct PluginEntry {
    /// Its name, unique in a manager.
    pub name: String,
    /// The phase it runs in.
    pub phase: Phase,
    /// Its place within the phase: lower runs earlier.
    pub priority: i64,
    /// What a failure of it means.
    pub on_error: OnError,
    /// How long it may take; `None`: the manager's timeout.
    pub timeout: Option<Duration>,
}

impl PluginEntry {
    /// A sequential plugin of priority 100 whose failures end the pipeline.
    pub fn new(name: impl Into<String>) -> Self {
        let (phase, on_error) = (Phase::Sequential, OnError::Fail);
        Self { name: name.into(), phase, priority: 100, on_error, timeout: None }
    }

    /// In this phase.
    #[must_use]
    pub fn phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    /// With this priority.
    #[must_use]
    pub fn priority(self, priority: i64) -> Self {
        Self { priority, ..self }
    }
}

impl From<&str> for PluginEntry {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl Default for Builder {
    fn default() -> Self {
        let settings = Settings {
            timeout: Some(Duration::from_secs(30)),
            pool: NonZeroUsize::new(10),
            policies: HashMap::new(),
            default_rule: Rule::Open,
        };
        Self { plugins: Vec::new(), settings }
    }
}

impl Builder {
    /// Adds a plugin.
    #[must_use]
    pub fn plugin(mut self, entry: impl Into<PluginEntry>, plugin: impl Plugin) -> Self {
        self.plugins.push((entry.into(), Arc::new(plugin)));
        self
    }

    /// Adds a closure that answers one hook.
    #[must_use]
    pub fn on<P, R, F, T>(self, hook: &Hook<P, R>, entry: impl Into<PluginEntry>, closure: F) -> Self
    where
        P: Payload,
        R: Payload,
        F: Fn(&P, &mut PluginContext) -> T + Send + Sync + 'static,
        T: IntoReply<Payload = R> + 'static,
    {
        let handler = Arc::new(Closure { closure, takes: PhantomData::<fn(P)> });
        self.plugin(entry, Single { hook: hook.name().into(), handler })
    }

    /// The manager.
    #[must_use]
    pub fn build(self) -> Manager {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let mut hooks: HashMap<Box<str>, Vec<Entry<Slot>>> = HashMap::new();
        for (entry, plugin) in self.plugins {
            let mut handlers = Handlers::default();
            plugin.clone().handlers(&mut handlers);
            let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
            let registered = Arc::new(Registered { id, name: entry.name.clone(), plugin });
            for Named { hook, handler } in handlers.list {
                hooks.entry(hook).or_default().push(Entry {
                    plugin: Slot { plugin: registered.clone(), handler },
                    phase: entry.phase,
                    priority: entry.priority,
                    on_error: entry.on_error,
                    timeout: entry.timeout,
                    conditions: Box::default(),
                });
            }
        }
        let plan = hooks.into_iter().fold(Plan::default(), |plan, (hook, entries)| {
            plan.with(&hook, Arc::new(LineUp::new(entries)))
        });
        Manager::from(Inner {
            plan: ArcSwap::from_pointee(plan),
            settings: self.settings,
            health: Health::default(),
            detached: TaskTracker::new(),
        })
    }
}

/// A plugin that is one handler.
struct Single {
    hook: Box<str>,
    handler: Arc<dyn crate::plugin::Handler>,
}

impl Plugin for Single {
    fn handlers(self: Arc<Self>, handlers: &mut Handlers) {
        handlers.list.push(Named { hook: self.hook.clone(), handler: self.handler.clone() });
    }
}
