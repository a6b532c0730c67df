//! The manager: knows the plugins, runs those that answer a hook.

use std::any::Any;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use cpex_core::condition::{Named, User as Asker};
use cpex_core::payload::{Isolation, Rule};
use cpex_core::{End, Facts, Fault, Invocation, LineUp, Plan};
use tokio_util::task::TaskTracker;

use crate::builder::Builder;
use crate::context::{Context, User};
use crate::error::{Failure, InvokeError};
use crate::hook::Hook;
use crate::host::{Handle, Hosted};
use crate::outcome::Outcome;
use crate::payload::Payload;
use crate::registered::{Health, Slot};

/// Knows the plugins, and runs those that answer a hook. Cheap to clone: all clones are the same manager.
#[derive(Clone)]
pub struct Manager {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) plan: ArcSwap<Plan<Slot>>,
    pub(crate) settings: Settings,
    pub(crate) health: Health,
    pub(crate) detached: TaskTracker,
}

/// What holds for every hook of a manager.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) timeout: Option<Duration>,
    pub(crate) pool: Option<NonZeroUsize>,
    /// Which fields plugins may write, by hook.
    pub(crate) policies: HashMap<String, Vec<String>>,
    /// What holds for hooks without a policy.
    pub(crate) default_rule: Rule,
}

impl From<Inner> for Manager {
    fn from(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }
}

impl Manager {
    /// Puts a manager together.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Runs the plugins that answer a hook.
    ///
    /// # Errors
    /// [`InvokeError`] if a plugin failed whose `on_error` is `fail`. A denial is no error: it is in the outcome.
    pub async fn invoke<P: Payload, R: Payload>(
        &self,
        hook: &Hook<P, R>,
        payload: &P,
        context: &Context,
    ) -> Result<Outcome<R>, InvokeError> {
        let plan = self.inner.plan.load();
        let Some(line_up) = plan.line_up(hook.name()).cloned() else { return Ok(Outcome::allowed()) };
        drop(plan);
        self.run(hook.name(), line_up, payload, context).await
    }

    async fn run<P: Payload, R: Payload>(
        &self,
        hook: &str,
        line_up: Arc<LineUp<Slot>>,
        payload: &P,
        context: &Context,
    ) -> Result<Outcome<R>, InvokeError> {
        let Inner { settings, health, detached, .. } = &*self.inner;
        let policy = settings.policies.get(hook);
        let core = cpex_core::Settings {
            rule: if policy.is_some() { Rule::Writable } else { settings.default_rule },
            isolation: Isolation::Observers,
            timeout: settings.timeout,
            pool: settings.pool,
            raise_denials: false,
        };
        let invocation = {
            let is_disabled = |slot: &Slot| health.is_disabled(&slot.plugin.name);
            let handle = Handle::Borrowed(payload);
            with_facts(payload, context, |facts| Invocation::start(line_up.clone(), core, handle, facts, is_disabled, 0))
        };
        let mut host = Hosted {
            line_up: &line_up,
            hook,
            context,
            health,
            writable: policy.map_or(&[], Vec::as_slice),
            metadata: serde_json::Map::new(),
            left: None,
        };
        let outcome = crate::driver::drive(invocation, &mut host, detached).await;
        let violation = match outcome.end {
            End::Completed => None,
            End::Halted { violation, .. } => Some(violation.unwrap_or_default()),
            End::Raised { entry, fault } => return Err(raised(&line_up, entry, fault)),
        };
        let payload = match outcome.payload.map(|payload| payload.to_shared()) {
            Some(payload) => Some(downcast(hook, payload)?),
            None => None,
        };
        Ok(Outcome {
            violation,
            payload,
            metadata: host.metadata,
            retry_after: Duration::from_millis(u64::try_from(outcome.retry_delay_ms).unwrap_or(0)),
        })
    }
}

fn downcast<R: Payload>(hook: &str, payload: Arc<dyn crate::payload::AnyPayload>) -> Result<Arc<R>, InvokeError> {
    let found = payload.type_name();
    (payload as Arc<dyn Any + Send + Sync>).downcast().map_err(|_| InvokeError::Payload {
        hook: hook.to_owned(),
        expected: std::any::type_name::<R>(),
        found,
    })
}

fn raised(
    line_up: &LineUp<Slot>,
    entry: Option<usize>,
    fault: Fault<crate::host::RustValues<'_>>,
) -> InvokeError {
    let plugin = entry.map_or_else(String::new, |entry| line_up.entries()[entry].plugin.plugin.name.clone());
    let failure = match fault {
        Fault::Error(failure) | Fault::Refusal(failure) | Fault::Interrupt(failure) => failure,
        Fault::Timeout(limit) => Failure::TimedOut(limit.unwrap_or_default()),
    };
    InvokeError::Plugin { plugin, failure }
}

fn with_facts<T>(payload: &impl Payload, context: &Context, use_facts: impl FnOnce(&Facts<'_>) -> T) -> T {
    let request = context.request();
    let has_key = |key: &str| matches!(&request.user, User::Record(record) if record.contains_key(key));
    let user = match &request.user {
        User::Name(name) if !name.is_empty() => Asker::Name(name),
        User::Record(record) if !record.is_empty() => Asker::Keys(&has_key),
        User::Unknown | User::Name(_) | User::Record(_) => Asker::Unknown,
    };
    use_facts(&Facts {
        server_id: request.server_id.as_deref(),
        tenant_id: request.tenant_id.as_deref(),
        content_type: request.content_type.as_deref(),
        user,
        named: payload.subject().filter(|name| !name.is_empty()).map_or(Named::Nothing, Named::Text),
    })
}
