//! Plugins in the background: started after the others, drained when the manager is shut down.

use std::sync::Arc;

use cpex_core::action::Work;
use cpex_core::host::Event;
use cpex_core::phase::Runs;
use cpex_core::record::Fate;
use cpex_core::verdict::{Verdict, judge};
use cpex_core::{Fault, OnError, Phase};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{Limit, call};
use crate::clock::Moment;
use crate::context::PluginContext;
use crate::driver::{or_none, shown};
use crate::health::Health;
use crate::host::{Hosted, RustValues};
use crate::lease::Lease;
use crate::narrator;
use crate::plan::Slot;
use crate::reply::Decision;

/// What a manager runs in the background.
#[derive(Default)]
pub(crate) struct Detached {
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The background of one invocation: as many of its plugins run at once as the pool allows.
pub(crate) struct Background<'a> {
    detached: &'a Detached,
    health: &'a Arc<Health>,
    lease: &'a Option<Arc<Lease>>,
    pool: Option<Arc<Semaphore>>,
}

impl Detached {
    /// Stops those that have not ended. How many they were.
    pub(crate) async fn stop(&self) -> usize {
        self.tasks.close();
        let left = self.tasks.len();
        self.stop.cancel();
        self.tasks.wait().await;
        left
    }
}

impl<'a> Background<'a> {
    pub(crate) const fn new(
        detached: &'a Detached,
        health: &'a Arc<Health>,
        lease: &'a Option<Arc<Lease>>,
    ) -> Self {
        Self { detached, health, lease, pool: None }
    }

    pub(crate) fn start(&mut self, host: &Hosted<'_>, work: Work<RustValues>) {
        let Work { entry: index, payload, extensions, timeout } = work;
        let (entry, metrics) = (&host.hook.line_up.entries()[index], host.hook.metrics.clone());
        let (slot, on_error, hook) = (entry.plugin.clone(), entry.on_error, host.hook.name.clone());
        let original = host.original.to_shared();
        let chained = host.hook.types.is_chained();
        let mut context = PluginContext::new(host.request);
        let (health, pool) = (self.health.clone(), self.pool_of(host));
        let lease = self.lease.clone();
        let run = async move {
            let _lease = lease;
            let _permit = match &pool {
                Some(pool) => pool.acquire().await.ok(),
                None => None,
            };
            let (shown, previous) = shown(&payload, &*original, chained);
            context.begin(slot.plugin.id, previous);
            let span = narrator::plugin_span(&hook, &slot);
            let limit = Limit { since: Moment::now(), lasts: timeout };
            let end = call(&slot, shown, &mut context, or_none(extensions.as_deref()), &span, limit).await;
            narrator::plugin_ended(&span, &end, limit.since);
            let fate = match end {
                Ok(reply) => match reply.map(|reply| reply.decision) {
                    Some(Decision::Deny(violation)) => {
                        narrator::tell(&hook, &slot, &Event::Suppressed(Some(&violation)));
                        Fate::Suppressed
                    }
                    Some(Decision::Allow | Decision::Modify(_)) | None => Fate::Ran,
                },
                Err(fault) => failed(&health, &hook, &slot, on_error, &fault),
            };
            metrics.count_background(index, fate);
        };
        let stop = self.detached.stop.clone();
        self.detached.tasks.spawn(async move { stop.run_until_cancelled(run).await });
    }

    fn pool_of(&mut self, host: &Hosted<'_>) -> Option<Arc<Semaphore>> {
        let size = host.hook.settings.pool?.get();
        let is_detached = |phase: Phase| phase.rules().runs == Runs::Detached;
        let entries = host.hook.line_up.entries();
        if entries.iter().filter(|entry| is_detached(entry.phase)).count() <= size {
            return None;
        }
        Some(self.pool.get_or_insert_with(|| Arc::new(Semaphore::new(size))).clone())
    }
}

/// Judges a failure, and tells of it.
fn failed(health: &Health, hook: &str, slot: &Slot, on_error: OnError, fault: &Fault<RustValues>) -> Fate {
    let disabled = judge(Phase::FireAndForget, on_error, fault.ending()) == Verdict::Disable;
    if disabled {
        health.disable(&slot.plugin);
        narrator::tell(hook, slot, &Event::Disabled(fault));
    } else {
        narrator::tell(hook, slot, &Event::Ignored(fault));
    }
    match fault {
        Fault::Timeout(_) => Fate::TimedOut { disabled },
        Fault::Refusal(_) => Fate::Suppressed,
        Fault::Error(_) | Fault::Interrupt(_) => Fate::Failed { disabled },
    }
}
