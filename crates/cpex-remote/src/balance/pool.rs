//! The servers of a plugin: connections to them, and what is known of each.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::OnceCell;
use tokio::time::{interval, timeout};

use super::balanced::ReplicaStatus;
use super::breaker::BreakerConfig;
use super::config::{BalanceEvent, HealthCheck, Observer};
use super::replicas::{Changed, Replicas, Ticket};
use crate::error::{Delivery, RemoteError};
use crate::remote::{Remote, RemoteConfig};

/// The servers of a plugin.
#[derive(Debug)]
pub(super) struct Pool {
    plugin: String,
    endpoints: Vec<Endpoint>,
    replicas: Mutex<Replicas>,
    began: Instant,
    observer: Option<Observer>,
}

#[derive(Debug)]
struct Endpoint {
    config: RemoteConfig,
    target: String,
    remote: OnceCell<Arc<Remote>>,
}

/// A call under way, given up when dropped.
pub(super) struct Held<'p> {
    pool: &'p Pool,
    ticket: Option<Ticket>,
}

impl Held<'_> {
    pub(super) fn replica(&self) -> Option<usize> {
        self.ticket.as_ref().map(Ticket::replica)
    }

    pub(super) fn end(mut self, ended: &Result<impl Sized, RemoteError>) {
        let Some(ticket) = self.ticket.take() else { return };
        let now = self.pool.now();
        self.pool.with(|replicas| match ended {
            Ok(_) => replicas.succeeded(ticket),
            Err(error) if is_callers_fault(error) => replicas.abandoned(ticket),
            Err(error) if error.delivery() == Delivery::NotDelivered => replicas.unreached(ticket, now),
            Err(_) => replicas.failed(ticket, now),
        });
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.pool.with(|replicas| replicas.abandoned(ticket));
        }
    }
}

impl Pool {
    pub(super) fn new(
        plugin: String,
        endpoints: Vec<RemoteConfig>,
        breaker: BreakerConfig,
        observer: Option<Observer>,
    ) -> Self {
        let replicas = Mutex::new(Replicas::new(endpoints.len(), breaker));
        let endpoints = endpoints
            .into_iter()
            .map(|config| Endpoint { target: config.target(), config, remote: OnceCell::new() })
            .collect();
        Self { plugin, endpoints, replicas, began: Instant::now(), observer }
    }

    /// How many servers there are.
    pub(super) fn size(&self) -> usize {
        self.endpoints.len()
    }

    /// A server for a call, other than those.
    pub(super) fn choose(&self, other_than: &[usize]) -> Option<Held<'_>> {
        let now = self.now();
        let ticket = self.with(|replicas| replicas.choose(now, other_than))?;
        Some(Held { pool: self, ticket: Some(ticket) })
    }

    /// A client of a server. Whatever keeps it from being made, no call is on its way.
    pub(super) async fn remote(&self, replica: usize) -> Result<Arc<Remote>, RemoteError> {
        let Endpoint { config, target, remote } = &self.endpoints[replica];
        let connect = async || Remote::connect(&self.plugin, config.clone()).await.map(Arc::new);
        remote.get_or_try_init(connect).await.cloned().map_err(|error| {
            let unreached = |source| RemoteError::Connect { target: target.clone(), source };
            match error {
                RemoteError::TimedOut(_) => unreached(io::Error::new(io::ErrorKind::TimedOut, error)),
                RemoteError::Disconnected(source) => unreached(source),
                error => error,
            }
        })
    }

    pub(super) async fn close(&self) {
        for remote in self.endpoints.iter().filter_map(|endpoint| endpoint.remote.get()) {
            remote.close().await;
        }
    }

    pub(super) fn status(&self) -> Vec<ReplicaStatus> {
        let replicas = self.replicas();
        let named = self.endpoints.iter().zip(replicas.status()).enumerate();
        named
            .map(|(replica, (endpoint, (state, outstanding)))| ReplicaStatus {
                target: endpoint.target.clone(),
                state,
                outstanding,
                silent: replicas.is_silent(replica),
            })
            .collect()
    }

    /// Checks the servers again and again, as long as anybody else has them.
    pub(super) async fn watch(pool: Weak<Self>, check: HealthCheck) {
        // An interval of nothing would not let anything else run.
        let mut ticks = interval(check.interval.max(Duration::from_millis(1)));
        loop {
            ticks.tick().await;
            let Some(pool) = pool.upgrade() else { return };
            join_all((0..pool.size()).map(|replica| pool.check(replica, check))).await;
        }
    }

    async fn check(&self, replica: usize, check: HealthCheck) {
        let asked = timeout(check.timeout, async { self.remote(replica).await?.health().await }).await;
        let now = self.now();
        self.with(|replicas| match asked {
            Ok(Ok(())) => replicas.answered(replica, now),
            _ => replicas.missed(replica, check.misses),
        });
    }

    pub(super) fn retried(&self, replica: usize) {
        self.tell(&BalanceEvent::Retried { target: &self.endpoints[replica].target });
    }

    pub(super) fn hedged(&self, replica: usize) {
        self.tell(&BalanceEvent::Hedged { target: &self.endpoints[replica].target });
    }

    /// Tells what changes.
    fn with<T>(&self, change: impl FnOnce(&mut Replicas) -> T) -> T {
        let (changed, changes) = {
            let mut replicas = self.replicas();
            (change(&mut replicas), replicas.take_changes())
        };
        for change in changes {
            let target = &*self.endpoints[change.replica].target;
            self.tell(&match change.what {
                Changed::Breaker { from, to } => BalanceEvent::Breaker { target, from, to },
                Changed::Silent => BalanceEvent::Ejected { target },
                Changed::Answering => BalanceEvent::Readmitted { target },
            });
        }
        changed
    }

    fn tell(&self, event: &BalanceEvent<'_>) {
        let plugin = &*self.plugin;
        match event {
            BalanceEvent::Breaker { target, from, to } => {
                tracing::warn!(plugin, target, %from, %to, "the breaker of a plugin server changed");
            }
            BalanceEvent::Ejected { target } => {
                tracing::warn!(plugin, target, "a plugin server does not answer health checks");
            }
            BalanceEvent::Readmitted { target } => {
                tracing::warn!(plugin, target, "a plugin server answers health checks again");
            }
            BalanceEvent::Retried { target } => tracing::info!(plugin, target, "a call is tried again"),
            BalanceEvent::Hedged { target } => tracing::info!(plugin, target, "a call is hedged"),
        }
        if let Some(observer) = &self.observer {
            observer.tell(event);
        }
    }

    fn replicas(&self) -> MutexGuard<'_, Replicas> {
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

/// No server could have done better.
pub(super) fn is_callers_fault(error: &RemoteError) -> bool {
    matches!(error, RemoteError::Unsendable(_) | RemoteError::TooLarge { .. } | RemoteError::Token)
}
