//! Plugins in the background: started after the others, drained when the manager is shut down.

use std::sync::Arc;

use cpex_core::action::Work;
use cpex_core::phase::Runs;
use cpex_core::verdict::{Verdict, judge};
use cpex_core::{Fault, Phase};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::{Limit, call};
use crate::context::PluginContext;
use crate::driver::{or_none, shown};
use crate::health::Health;
use crate::host::{Hosted, RustValues};
use crate::lease::Lease;
use crate::narrator;
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
        let Work { entry, payload, extensions, timeout } = work;
        let entry = &host.hook.line_up.entries()[entry];
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
            let plugin = slot.plugin.name();
            let span = narrator::plugin_span(plugin);
            let limit = Limit { since: Instant::now(), lasts: timeout };
            let end = call(&slot, shown, &mut context, or_none(extensions.as_deref()), &span, limit).await;
            match end {
                Ok(reply) => {
                    if let Decision::Deny(violation) = reply.decision {
                        let code = &*violation.code;
                        tracing::warn!(%hook, plugin, code, "denied in the background, where nothing is left to stop");
                    }
                }
                Err(fault) => failed(&health, &hook, plugin, on_error, &fault),
            }
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

fn failed(
    health: &Health,
    hook: &str,
    plugin: &str,
    on_error: cpex_core::OnError,
    fault: &Fault<RustValues>,
) {
    let error = narrator::cause(fault);
    tracing::warn!(hook, plugin, error, "failed in the background");
    if judge(Phase::FireAndForget, on_error, fault.ending()) == Verdict::Disable {
        health.disable(plugin);
    }
}
