//! The manager: knows the plugins, runs those that answer a hook.

use std::any::Any;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use cpex_core::condition::{Named, Subject as Matched, User as Asker};
use cpex_core::{End, Facts, Fault, Invocation};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::builder::{Builder, Rules};
use crate::clock::Moment;
use crate::config::{Config, Mode};
use crate::context::{Context, Request, User};
use crate::detached::{Background, Detached};
use crate::driver::drive;
use crate::error::{Error, Failure, InvokeError};
use crate::health::Health;
use crate::hook::Hook;
use crate::host::{Handle, Hosted, RustValues};
use crate::lifecycle::{Entry, LoadFailure, Source, State, plan};
use crate::memory;
use crate::narrator;
use crate::outcome::Outcome;
use crate::payload::{AnyPayload, Kind, Payload, Subject};
use crate::plan::{Current, HookPlan, Plan, Stage};
use crate::report::Report;

/// Knows the plugins, and runs those that answer a hook. Cheap to clone: all clones are the same manager.
///
/// ```
/// use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
/// use cpex::{Context, Manager, PluginContext, Reply, Violation};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let manager = Manager::builder()
///     .on(&TOOL_PRE_INVOKE, "no-shell", |call: &ToolPreInvoke, _: &mut PluginContext| match &*call.name {
///         "shell" => Reply::deny(Violation::new("TOOL_DENIED", "not here")),
///         _ => Reply::allow(),
///     })
///     .start()
///     .await?;
/// let context = Context::new("req-1").user("alice");
/// let outcome = manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("shell"), &context).await?;
/// assert_eq!(outcome.violation.unwrap().code, "TOOL_DENIED");
/// manager.shutdown().await;
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Manager {
    inner: Arc<Inner>,
}

struct Inner {
    plan: Current,
    health: Arc<Health>,
    detached: Detached,
    drain: Duration,
    /// Held while plugins come or go.
    loading: Mutex<Loading>,
}

struct Loading {
    entries: Vec<Entry>,
    rules: Rules,
    stage: Stage,
}

/// A plugin that a hook would ask, or why it would not.
///
/// ```
/// # fn show(eligible: &cpex::manager::Eligible) {
/// match eligible.skipped {
///     None => println!("{} would run", eligible.plugin),
///     Some(why) => println!("{} would not: {why}", eligible.plugin),
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Eligible {
    /// Name of the plugin.
    pub plugin: String,
    /// Its mode.
    pub mode: Mode,
    /// Why it would not run.
    pub skipped: Option<&'static str>,
}

/// What came of a hook that was invoked with JSON.
///
/// ```
/// # fn show(outcome: cpex::manager::JsonOutcome) -> Option<std::sync::Arc<serde_json::Value>> {
/// outcome.payload
/// # }
/// ```
pub type JsonOutcome = Outcome<Value>;

impl Manager {
    /// Puts a manager together.
    ///
    /// ```
    /// let manager = cpex::Manager::builder().build()?;
    /// # drop(manager);
    /// # Ok::<(), cpex::Error>(())
    /// ```
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The manager of a configuration file whose kinds are all registered elsewhere: see [`Builder::kind`] and
    /// [`Builder::yaml`] for others.
    ///
    /// ```
    /// assert!(cpex::Manager::from_yaml("no-such-file.yaml").is_err());
    /// ```
    ///
    /// # Errors
    /// What is wrong with the file, with line and column, and what would be right.
    pub fn from_yaml(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder().yaml(path)?.build()
    }

    pub(crate) fn new(builder: Builder) -> Self {
        let Builder { entries, rules } = builder;
        Self {
            inner: Arc::new(Inner {
                plan: Current::default(),
                health: Arc::default(),
                detached: Detached::default(),
                drain: rules.drain,
                loading: Mutex::new(Loading { entries, rules, stage: Stage::NotInitialized }),
            }),
        }
    }

    /// Loads the plugins one after another, in the order in which they were added. Nothing if it has been called.
    ///
    /// A plugin that cannot be loaded is left out, and logged, and listed by [`load_failures`](Self::load_failures);
    /// its hooks deny if its entry says `on_missing: deny`.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = cpex::Manager::builder().build()?;
    /// manager.initialize().await?;
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Load`] if a plugin cannot be loaded that is required; those loaded before are shut down again.
    /// [`Error::PayloadType`] if two plugins take different payloads at one hook.
    pub async fn initialize(&self) -> Result<(), Error> {
        let mut loading = self.inner.loading.lock().await;
        match loading.stage {
            Stage::Running => return Ok(()),
            Stage::ShutDown => return Err(Error::ShutDown),
            Stage::NotInitialized => {}
        }
        let Loading { entries, rules, stage } = &mut *loading;
        let plan = match load_all(entries, rules).await {
            Ok(plan) => plan,
            Err(error) => {
                unload_all(entries).await;
                return Err(error);
            }
        };
        self.inner.plan.store(Arc::new(plan));
        *stage = Stage::Running;
        Ok(())
    }

    /// Shuts the plugins down, the last one loaded first. Hooks are answered no more; plugins in the background are
    /// waited for, and stopped if they take too long. Stop sending requests first: a call under way may find its
    /// plugin shut down.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = cpex::Manager::builder().start().await?;
    /// manager.shutdown().await;
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn shutdown(&self) {
        let mut loading = self.inner.loading.lock().await;
        if loading.stage == Stage::ShutDown {
            return;
        }
        loading.stage = Stage::ShutDown;
        self.inner.plan.store(Arc::new(Plan::shut_down()));
        let stopped = self.inner.detached.drain(self.inner.drain).await;
        if stopped > 0 {
            tracing::warn!(stopped, "plugins in the background took too long and were stopped");
        }
        unload_all(&mut loading.entries).await;
    }

    /// Takes over another configuration, without a pause: requests under way end as they began. Plugins whose entry
    /// says the same keep their instance and what it remembers; those that the application has made stay.
    ///
    /// ```
    /// use cpex::{Manager, config::Config};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = Manager::builder().start().await?;
    /// manager.replace(Config::parse("plugins: []", "plugins.yaml")?).await?;
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`initialize`](Self::initialize). What was in force stays in force.
    pub async fn replace(&self, config: Config) -> Result<(), Error> {
        let mut loading = self.inner.loading.lock().await;
        if loading.stage == Stage::ShutDown {
            return Err(Error::ShutDown);
        }
        let mut rules = loading.rules.clone();
        rules.settings = config.plugin_settings.with_environment()?;
        let (mut next, mut kept) = next_entries(&loading.entries, config)?;
        if loading.stage == Stage::Running {
            match load_all(&mut next, &rules).await {
                Ok(plan) => self.inner.plan.store(Arc::new(plan)),
                Err(error) => {
                    next.retain(|entry| !kept.contains(&entry.config.name));
                    unload_all(&mut next).await;
                    return Err(error);
                }
            }
        }
        let mut left = std::mem::replace(&mut loading.entries, next);
        loading.rules = rules;
        left.retain(|entry| !kept.remove(&entry.config.name));
        for entry in &left {
            self.inner.health.enable(&entry.config.name);
        }
        unload_all(&mut left).await;
        Ok(())
    }

    /// The configured plugins that are not running, and why.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// assert!(cpex::Manager::builder().start().await?.load_failures().await.is_empty());
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn load_failures(&self) -> Vec<LoadFailure> {
        let loading = self.inner.loading.lock().await;
        let failures = loading.entries.iter().filter_map(|entry| match &entry.state {
            State::Failed(failure) => Some(failure.clone()),
            State::Idle | State::Loaded(_) => None,
        });
        failures.collect()
    }

    /// Puts the plugins back into service that `on_error: disable` took out of it.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// cpex::Manager::builder().start().await?.reset_disabled();
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reset_disabled(&self) {
        self.inner.health.reset();
    }

    /// Who would run for this, in the order of running, and who would not, and why.
    ///
    /// ```
    /// use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
    /// use cpex::{Context, Manager};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = Manager::builder().start().await?;
    /// assert!(manager.eligible(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("search"), &Context::new("1")).is_empty());
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn eligible<P: Payload, R: Payload>(
        &self,
        hook: &Hook<P, R>,
        payload: &P,
        context: &Context,
    ) -> Vec<Eligible> {
        let plan = self.inner.plan.load();
        let Some(hook) = plan.find(hook.name()).map(|index| plan.hook(index)) else { return Vec::new() };
        let has_key = has_key(context.request());
        let facts = facts(hook, payload, context.request(), &has_key);
        let eligible = hook.line_up.entries().iter().map(|entry| {
            let config = &entry.plugin.plugin.config;
            let skip = entry.skip(&facts, |slot| self.inner.health.is_disabled(slot.plugin.name()));
            Eligible {
                plugin: config.name.clone(),
                mode: config.mode,
                skipped: skip.map(cpex_core::record::Skip::text),
            }
        });
        eligible.collect()
    }

    /// Runs the plugins that answer a hook. Dropping the future stops those that run.
    ///
    /// Needs no runtime as long as plugins answer without waiting; a plugin with a time limit that waits needs a
    /// tokio runtime with its timers, and so does one in the background.
    ///
    /// ```
    /// use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
    /// use cpex::{Context, Manager};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = Manager::builder().start().await?;
    /// let outcome = manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("search"), &Context::new("1")).await?;
    /// assert!(outcome.is_allowed());
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`InvokeError`] if a plugin failed whose `on_error` is `fail`, or if the manager is not running: treat it as a
    /// denial. A denial is no error: it is in the outcome.
    pub async fn invoke<P: Payload, R: Payload>(
        &self,
        hook: &Hook<P, R>,
        payload: &P,
        context: &Context,
    ) -> Result<Outcome<R>, InvokeError> {
        if self.inner.plan.lacks(hook.bit()) {
            return Ok(Outcome::allowed(Report::default()));
        }
        let plan = self.inner.plan.load();
        let Some(index) = plan.find(hook.name()) else { return absent(&plan) };
        let found = &plan.hook(index).types;
        if found.payload != Kind::of::<P>() || found.reply != Kind::of::<R>() {
            return Err(other_types::<P>(hook.name(), found.payload));
        }
        self.run(plan, index, payload, context).await?.read(|made| {
            let made = (made as Arc<dyn Any + Send + Sync>).downcast();
            Ok(made.unwrap_or_else(|_| unreachable!("the driver looked at its type")))
        })
    }

    /// The same with JSON, for applications that learn at run time which hooks there are.
    ///
    /// ```
    /// use cpex::{Context, Manager};
    /// use serde_json::json;
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = Manager::builder().start().await?;
    /// let outcome = manager.invoke_json("tool_pre_invoke", json!({"name": "search"}), &Context::new("1")).await?;
    /// assert!(outcome.is_allowed());
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`invoke`](Self::invoke), and [`InvokeError::Json`] if the JSON is no payload of the hook.
    pub async fn invoke_json(
        &self,
        hook: &str,
        payload: Value,
        context: &Context,
    ) -> Result<JsonOutcome, InvokeError> {
        let plan = self.inner.plan.load();
        let Some(index) = plan.find(hook) else { return absent(&plan) };
        let wrong = |path: String, error: serde_json::Error| InvokeError::Json {
            hook: hook.to_owned(),
            path,
            message: error.to_string(),
        };
        let payload = (plan.hook(index).types.read_payload)(payload)
            .map_err(|error| wrong(error.path().to_string(), error.into_inner()))?;
        self.run(plan, index, &*payload, context).await?.read(|made| {
            let json = made.to_json().map_err(|error| wrong(".".to_owned(), error))?;
            Ok(Arc::new(json))
        })
    }

    async fn run(
        &self,
        plan: Guard<Arc<Plan>>,
        index: usize,
        payload: &dyn AnyPayload,
        context: &Context,
    ) -> Result<Outcome<dyn AnyPayload>, InvokeError> {
        let Inner { health, detached, .. } = &*self.inner;
        let hook = plan.hook(index);
        let started = Moment::now();
        let mut journal = memory::take();
        let mut host = Hosted::new(hook, payload, context, health);
        let mut background = Background::new(detached, health);
        let has_key = has_key(context.request());
        let mut invocation = Invocation::start_in(
            journal.buffers(),
            &hook.line_up,
            hook.settings,
            Handle::Original,
            context.inner().extensions.clone(),
            &facts(hook, payload, context.request(), &has_key),
            |slot| health.is_disabled(slot.plugin.name()),
            0,
        );
        let span = narrator::hook_span(hook);
        {
            let mut running = pin!(drive(&mut invocation, &mut host, &mut background, started));
            poll_fn(|task| span.in_scope(|| running.as_mut().poll(task))).await;
        }
        let (outcome, buffers) = invocation.into_parts();
        crate::metrics::count(hook, &outcome);
        let metadata = host.metadata;
        let report = journal.report(plan, index, outcome.records, buffers);
        let violation = match outcome.end {
            End::Completed => None,
            End::Halted { violation, .. } => Some(violation.unwrap_or_default()),
            End::Raised { entry, fault } => return Err(raised(entry, fault, report)),
        };
        if let (Some(violation), true) = (&violation, report.raises_denials()) {
            let violation = violation.clone();
            return Err(InvokeError::Denied { violation, report: Box::new(report) });
        }
        let payload = match outcome.payload {
            Some(Handle::Made(payload)) => Some(payload),
            Some(Handle::Original) | None => None,
        };
        Ok(Outcome {
            violation,
            payload,
            extensions: outcome.extensions,
            metadata,
            retry_after: Duration::from_millis(u64::try_from(outcome.retry_delay_ms).unwrap_or(0)),
            report,
        })
    }
}

impl Outcome<dyn AnyPayload> {
    /// The same with a payload of a type.
    fn read<R>(
        self,
        read: impl FnOnce(Arc<dyn AnyPayload>) -> Result<Arc<R>, InvokeError>,
    ) -> Result<Outcome<R>, InvokeError> {
        let Self { violation, payload, extensions, metadata, retry_after, report } = self;
        let payload = payload.map(read).transpose()?;
        Ok(Outcome { violation, payload, extensions, metadata, retry_after, report })
    }
}

/// What a hook comes to that nobody answers.
fn absent<R>(plan: &Plan) -> Result<Outcome<R>, InvokeError> {
    match plan.stage {
        Stage::Running => Ok(Outcome::allowed(Report::default())),
        Stage::NotInitialized => Err(InvokeError::NotInitialized),
        Stage::ShutDown => Err(InvokeError::ShutDown),
    }
}

#[cold]
fn other_types<P: Payload>(hook: &str, expected: Kind) -> InvokeError {
    InvokeError::Payload { hook: hook.to_owned(), expected: expected.name, found: Kind::of::<P>().name }
}

#[cold]
fn raised(entry: Option<usize>, fault: Fault<RustValues>, report: Report) -> InvokeError {
    let failure = match fault {
        Fault::Error(failure) | Fault::Refusal(failure) | Fault::Interrupt(failure) => failure,
        Fault::Timeout(limit) => Failure::TimedOut(limit.unwrap_or_default()),
    };
    let report = Box::new(report.raised(entry, &failure));
    InvokeError::Plugin { plugin: report.plugin(entry).to_owned(), failure, report }
}

async fn load_all(entries: &mut [Entry], rules: &Rules) -> Result<Plan, Error> {
    for entry in entries.iter_mut() {
        entry.load(rules).await?;
    }
    plan(entries, rules)
}

async fn unload_all(entries: &mut [Entry]) {
    for entry in entries.iter_mut().rev() {
        entry.unload().await;
    }
}

/// The entries of another configuration, and the names of those that stay as they are.
fn next_entries(
    entries: &[Entry],
    config: Config,
) -> Result<(Vec<Entry>, hashbrown::HashSet<String>), Error> {
    let is_ready = |entry: &&Entry| matches!(entry.source, Source::Ready(_));
    let mut next: Vec<_> = entries.iter().filter(is_ready).cloned().collect();
    let mut kept: hashbrown::HashSet<_> = next.iter().map(|entry| entry.config.name.clone()).collect();
    let mut names = kept.clone();
    for config in config.plugins {
        if !names.insert(config.name.clone()) {
            return Err(Error::DuplicateName(config.name));
        }
        let same = |entry: &&Entry| *entry.config == config && entry.registered().is_some();
        match entries.iter().find(same) {
            Some(entry) => {
                kept.insert(config.name);
                next.push(entry.clone());
            }
            None => next.push(Entry::new(config, Source::Kind)),
        }
    }
    Ok((next, kept))
}

fn has_key(request: &Request) -> impl Fn(&str) -> bool {
    |key| matches!(&request.user, User::Record(record) if record.contains_key(key))
}

/// What the conditions of a hook can ask.
fn facts<'a>(
    hook: &HookPlan,
    payload: &'a dyn AnyPayload,
    request: &'a Request,
    has_key: &'a dyn Fn(&str) -> bool,
) -> Facts<'a> {
    if !hook.line_up.is_conditional() {
        return Facts::NONE;
    }
    let user = match &request.user {
        User::Name(name) if !name.is_empty() => Asker::Name(name),
        User::Record(record) if !record.is_empty() => Asker::Keys(has_key),
        User::Unknown | User::Name(_) | User::Record(_) => Asker::Unknown,
    };
    let named = Matched::of_hook(&hook.name).and_then(|(_, field)| payload.named(field));
    Facts {
        server_id: request.server_id.as_deref(),
        tenant_id: request.tenant_id.as_deref(),
        content_type: request.content_type.as_deref(),
        user,
        named: match named {
            Some(Subject::Text(name)) if !name.is_empty() => Named::Text(name),
            Some(Subject::Opaque) => Named::Opaque,
            Some(Subject::Text(_)) | None => Named::Nothing,
        },
    }
}

impl std::fmt::Debug for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manager").field("stage", &self.inner.plan.load().stage).finish_non_exhaustive()
    }
}
