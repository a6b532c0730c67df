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
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::builder::{Builder, Rules};
use crate::clock::Moment;
use crate::config::Mode;
use crate::context::{Context, Request, User};
use crate::detached::{Background, Detached};
use crate::driver::drive;
use crate::error::{Error, Failure, InvokeError};
use crate::health::Health;
use crate::hook::{self, Hook};
use crate::host::{Handle, Hosted, RustValues};
use crate::lease::Lease;
use crate::lifecycle::{Entry, Leaving, LoadFailure, State, shut_down, unused};
use crate::outcome::Outcome;
use crate::payload::{AnyPayload, Kind, Payload, Subject};
use crate::plan::{Current, HookPlan, Plan, Stage};
use crate::planning::plan;
use crate::report::Report;
use crate::{memory, metrics, narrator, spelling};

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
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) plan: Current,
    pub(crate) health: Arc<Health>,
    detached: Detached,
    /// What waits for the last calls of plugins that are gone.
    pub(crate) retiring: TaskTracker,
    /// Held while plugins come or go.
    pub(crate) loading: Mutex<Loading>,
}

pub(crate) struct Loading {
    pub(crate) entries: Vec<Entry>,
    pub(crate) rules: Rules,
    pub(crate) stage: Stage,
}

/// A hook of the plan in force, and the right to use its plugins.
pub(crate) struct Found {
    pub(crate) plan: Guard<Arc<Plan>>,
    pub(crate) hook: usize,
    pub(crate) lease: Guard<Option<Arc<Lease>>>,
}

/// What a hook is invoked with.
pub(crate) enum Given<'a> {
    /// A payload, and what is to come of it.
    Typed(&'a dyn AnyPayload, Kind),
    Json(Value),
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

    pub(crate) fn new(entries: Vec<Entry>, rules: Rules) -> Self {
        metrics::describe();
        Self {
            inner: Arc::new(Inner {
                plan: Current::default(),
                health: Arc::default(),
                detached: Detached::default(),
                retiring: TaskTracker::new(),
                loading: Mutex::new(Loading { entries, rules, stage: Stage::NotInitialized }),
            }),
        }
    }

    /// Loads the plugins one after another, in the order in which they were added. Nothing if it has been called.
    ///
    /// A plugin that cannot be loaded is left out, and logged, and listed by [`load_failures`](Self::load_failures);
    /// its hooks deny if its entry says `on_missing: deny`. One whose hook is nearly that of a known one is logged; it is an
    /// error if the plugin is required or `PLUGINS_STRICT_CONFIG` is true. An application makes its own hooks known with
    /// [`Builder::hook`].
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
    /// [`Error::Load`] if a plugin cannot be loaded that is required, or whose hook is misspelt;
    /// [`Error::PayloadType`] if one takes another payload than its hook carries; [`Error::NoHandler`] if an entry
    /// written in Rust names a hook that its plugin does not answer. Those loaded before are shut down again.
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
                shut_down(leave_all(entries), rules.drain).await;
                return Err(error);
            }
        };
        self.put_in_force(plan);
        *stage = Stage::Running;
        Ok(())
    }

    /// Answers no more hooks, and shuts the plugins down, the last one loaded first: after the last call of them, and
    /// after those in the background. What takes longer than [`Builder::drain`] allows is logged; the background is
    /// stopped, and plugins are shut down beneath calls that are still under way.
    ///
    /// Resolves when that is done, also if it was begun by another call. Dropped, it goes on all the same.
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
        if loading.stage != Stage::ShutDown {
            loading.stage = Stage::ShutDown;
            self.put_in_force(Plan::shut_down());
            let (leaving, drain) = (leave_all(&mut loading.entries), loading.rules.drain);
            let inner = self.inner.clone();
            let retire = async move {
                unused(&leaving, drain).await;
                let stopped = inner.detached.stop().await;
                if stopped > 0 {
                    tracing::warn!(stopped, limit = ?drain, "plugins in the background took too long and were stopped");
                }
                shut_down(leaving, drain).await;
            };
            self.inner.retiring.spawn(retire.in_current_span());
            self.inner.retiring.close();
        }
        drop(loading);
        self.inner.retiring.wait().await;
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
            State::Idle | State::Kept(_) | State::Loaded(_) => None,
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
            let skip = entry.skip(&facts, |slot| self.inner.health.is_disabled(&slot.plugin));
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
        let find = |manager: &Self| manager.find(hook.name());
        self.run(find, Given::Typed(payload, Kind::of::<R>()), context).await?.read(|made| {
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
        self.run(|manager| manager.find(hook), Given::Json(payload), context).await?.read(|made| {
            let json = made.to_json().map_err(|error| wrong_json(hook, ".".to_owned(), &error))?;
            Ok(Arc::new(json))
        })
    }

    /// The hook, with the right to use its plugins; `None` if nobody answers it.
    fn find(&self, hook: &str) -> Result<Option<Found>, InvokeError> {
        loop {
            let plan = self.inner.plan.load();
            let Some(hook) = plan.find(hook) else {
                return match plan.stage {
                    Stage::Running => Ok(None),
                    Stage::NotInitialized => Err(InvokeError::NotInitialized),
                    Stage::ShutDown => Err(InvokeError::ShutDown),
                };
            };
            let lease = plan.lease();
            if lease.is_some() {
                return Ok(Some(Found { plan, hook, lease }));
            }
            // Between the two steps, another plan has taken its place.
        }
    }

    /// Runs the hook that is found. It is looked for in here: a future that has it would be copied before it begins.
    pub(crate) async fn run(
        &self,
        find: impl FnOnce(&Self) -> Result<Option<Found>, InvokeError>,
        given: Given<'_>,
        context: &Context,
    ) -> Result<Outcome<dyn AnyPayload>, InvokeError> {
        let Some(Found { plan, hook: index, lease }) = find(self)? else {
            return Ok(Outcome::allowed(Report::default()));
        };
        let Inner { health, detached, .. } = &*self.inner;
        let hook = plan.hook(index);
        let read;
        let payload = match given {
            Given::Typed(payload, reply) if hook.carries(payload.kind(), reply) => payload,
            Given::Typed(payload, reply) => return Err(other_types(hook, payload.kind(), reply)),
            Given::Json(value) => {
                read = (hook.types.read_payload)(value)
                    .map_err(|error| wrong_json(&hook.name, error.path().to_string(), error.inner()))?;
                &*read
            }
        };
        let started = Moment::now();
        let mut journal = memory::take();
        let mut host = Hosted::new(hook, payload, context, health);
        let mut background = Background::new(detached, health, &lease);
        let has_key = has_key(context.request());
        let mut invocation = Invocation::start_in(
            journal.buffers(),
            &hook.line_up,
            hook.settings,
            Handle::Original,
            context.inner().extensions.clone(),
            &facts(hook, payload, context.request(), &has_key),
            |slot| health.is_disabled(&slot.plugin),
            0,
        );
        let span = narrator::hook_span(hook);
        {
            let mut running = pin!(drive(&mut invocation, &mut host, &mut background, started));
            poll_fn(|task| span.in_scope(|| running.as_mut().poll(task))).await;
        }
        let (outcome, buffers) = invocation.into_parts();
        narrator::hook_ended(&span, &outcome.end, started);
        hook.metrics.count(&outcome, started);
        let Hosted { metadata, http_headers, denials, .. } = host;
        let mut report = journal.report(plan, index, outcome.records, buffers);
        let violation = match outcome.end {
            End::Completed => None,
            End::Halted { entry, violation } => {
                let said = denials.into_iter().find(|(denied, _)| *denied == entry);
                report.denied(said.map(|(_, metadata)| metadata).unwrap_or_default());
                Some(violation.unwrap_or_default())
            }
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
            http_headers,
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
        let Self { violation, payload, extensions, metadata, http_headers, retry_after, report } = self;
        let payload = payload.map(read).transpose()?;
        Ok(Outcome { violation, payload, extensions, metadata, http_headers, retry_after, report })
    }
}

#[cold]
fn other_types(hook: &HookPlan, payload: Kind, reply: Kind) -> InvokeError {
    let types = hook.types;
    let mut plugins = hook.line_up.entries().iter().map(|entry| &entry.plugin);
    let attached = plugins.find(|slot| slot.handler.takes() == types.payload);
    InvokeError::Payload {
        hook: hook.name.to_string(),
        plugin: attached.map(|slot| slot.plugin.name().to_owned()),
        expected: types.names(),
        found: hook::names(payload, reply),
    }
}

#[cold]
fn wrong_json(hook: &str, path: String, error: &serde_json::Error) -> InvokeError {
    InvokeError::Json { hook: hook.to_owned(), path, message: error.to_string() }
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

pub(crate) async fn load_all(entries: &mut [Entry], rules: &Rules) -> Result<Plan, Error> {
    let comes: Vec<_> = entries.iter().map(Entry::comes_to_hooks).collect();
    for entry in entries.iter_mut() {
        entry.load(rules).await?;
    }
    let came: Vec<_> = entries.iter().zip(comes).filter_map(|(entry, came)| came.then_some(entry)).collect();
    spelling::check(entries, &came, rules)?;
    plan(entries, rules)
}

fn leave_all(entries: &mut [Entry]) -> Vec<Leaving> {
    entries.iter_mut().filter_map(Entry::leave).collect()
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
