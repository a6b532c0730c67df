//! Which server is asked, and what is known of each.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::{interval, sleep, timeout};

use super::balanced::ReplicaStatus;
use super::config::{BalanceConfig, BalanceEvent, HealthCheck, Observer};
use super::lookup::Lookup;
use super::replicas::{Changed, Ticket};
use super::servers::{Moved, Server, Servers};
use crate::error::{Delivery, RemoteError};
use crate::remote::RemoteConfig;

/// The servers of a plugin, and calls of them.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) plugin: String,
    servers: Mutex<Servers>,
    /// Servers with a name that may stand for several: which endpoint, how to reach it, and the name.
    names: Vec<(usize, RemoteConfig, String)>,
    lookup: Lookup,
    /// When the names were looked up last.
    looked_up: tokio::sync::Mutex<Option<Instant>>,
    is_looked_up: AtomicBool,
    began: Instant,
    observer: Option<Observer>,
}

/// A call under way, given up when dropped.
pub(super) struct Held<'p> {
    pool: &'p Pool,
    ticket: Option<Ticket>,
    pub(super) server: Arc<Server>,
    /// When whoever asks loses patience.
    late: Option<Instant>,
    /// Another try of a call that the server did not get before, which has been counted.
    pub(super) again: bool,
}

impl Held<'_> {
    pub(super) fn end(mut self, ended: &Result<impl Sized, RemoteError>) {
        let Some(ticket) = self.ticket.take() else { return };
        let now = self.pool.now();
        self.pool.with(|Servers { replicas, .. }| match ended {
            Ok(_) => replicas.succeeded(ticket),
            // Else whoever may send a call could have every server left alone.
            Err(error)
                if error.is_of_the_call()
                    || matches!(error, RemoteError::Busy(_) | RemoteError::Invalid(_)) =>
            {
                replicas.abandoned(ticket);
            }
            Err(_) if self.again => replicas.abandoned(ticket),
            Err(error) if error.delivery() == Delivery::NotDelivered => replicas.unreached(ticket, now),
            Err(_) => replicas.failed(ticket, now),
        });
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let is_late = self.late.is_some_and(|late| late <= Instant::now());
            let now = self.pool.now();
            self.pool.with(|Servers { replicas, .. }| match is_late {
                true => replicas.failed(ticket, now),
                false => replicas.abandoned(ticket),
            });
        }
        self.pool.tell(&BalanceEvent::Over { target: &self.server.target });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for ReplicaStatus { target, state, .. } in self.status() {
            self.tell(&BalanceEvent::Forgotten { target: &target, state });
        }
    }
}

impl Pool {
    pub(super) fn new(plugin: String, endpoints: &[RemoteConfig], config: BalanceConfig) -> Self {
        let servers = Servers::new(endpoints, config.breaker);
        let named =
            |(endpoint, config): (usize, &RemoteConfig)| Some((endpoint, config.clone(), config.name()?));
        let names: Vec<_> = endpoints.iter().enumerate().filter_map(named).collect();
        let pool = Self {
            plugin,
            servers: Mutex::new(servers),
            is_looked_up: AtomicBool::new(names.is_empty()),
            names,
            lookup: config.lookup,
            looked_up: tokio::sync::Mutex::default(),
            began: Instant::now(),
            observer: config.observer,
        };
        for target in pool.targets() {
            pool.tell(&BalanceEvent::Known { target: &target });
        }
        pool
    }

    /// May there be several servers?
    pub(super) fn may_be_several(&self) -> bool {
        !self.names.is_empty() || self.servers().replicas.size() > 1
    }

    /// A server for a call, other than those.
    pub(super) fn choose(&self, other_than: &[usize], late: Option<Instant>) -> Option<Held<'_>> {
        let now = self.now();
        let (ticket, server) = self.with(|servers| {
            let ticket = servers.replicas.choose(now, other_than)?;
            let server = servers.get(ticket.replica())?.clone();
            Some((ticket, server))
        })?;
        self.tell(&BalanceEvent::Asked { target: &server.target });
        Some(Held { pool: self, ticket: Some(ticket), server, late, again: false })
    }

    pub(super) fn targets(&self) -> Vec<String> {
        self.servers().all().map(|server| server.target.to_string()).collect()
    }

    pub(super) async fn close(&self) {
        let servers: Vec<_> = self.servers().all().cloned().collect();
        join_all(servers.iter().map(|server| server.close())).await;
    }

    pub(super) fn status(&self) -> Vec<ReplicaStatus> {
        self.servers().status()
    }

    /// Finds out which servers the names stand for, if nobody ever has.
    pub(super) async fn look_up_first(&self) {
        if !self.is_looked_up.load(Ordering::Acquire) {
            self.look_up(self.began).await;
        }
    }

    /// Finds out which servers the names stand for now, unless somebody has since then.
    pub(super) async fn look_up(&self, since: Instant) {
        let mut looked_up = self.looked_up.lock().await;
        if self.names.is_empty() || looked_up.is_some_and(|last| last >= since) {
            return;
        }
        *looked_up = Some(Instant::now());
        join_all(self.names.iter().map(|(endpoint, config, name)| self.find(*endpoint, config, name))).await;
        self.is_looked_up.store(true, Ordering::Release);
    }

    /// A name that cannot be looked up stands for what it stood for before.
    async fn find(&self, endpoint: usize, config: &RemoteConfig, name: &str) {
        let family = self.servers().family(endpoint);
        match self.lookup.resolver.servers(name, config.addresses(), family).await {
            Ok(addresses) if !addresses.is_empty() => {
                let moved = self.servers().found(endpoint, config, &addresses);
                for moved in &moved {
                    self.moved(moved);
                }
            }
            Ok(_) => tracing::warn!(plugin = self.plugin, name, "the name of a plugin server has no address"),
            Err(error) => {
                let plugin = &*self.plugin;
                tracing::warn!(plugin, name, %error, "the name of a plugin server cannot be looked up");
            }
        }
    }

    fn moved(&self, moved: &Moved) {
        match moved {
            Moved::Joined(server) => {
                let target = &*server.target;
                self.tell(&BalanceEvent::Joined { target });
                self.tell(&BalanceEvent::Known { target });
            }
            Moved::Left(server, state) => {
                let target = &*server.target;
                if !server.is_placeholder() {
                    self.tell(&BalanceEvent::Left { target });
                }
                self.tell(&BalanceEvent::Forgotten { target, state: *state });
            }
        }
    }

    /// Checks servers again and again, as long as anybody else has them.
    pub(super) async fn watch_health(pool: Weak<Self>, asked: Option<HealthCheck>) {
        let check = asked.unwrap_or_default();
        // An interval of nothing would not let anything else run.
        let mut ticks = interval(check.interval.max(Duration::from_millis(1)));
        loop {
            ticks.tick().await;
            let Some(pool) = pool.upgrade() else { return };
            let servers: Vec<_> = pool.servers().all().cloned().collect();
            // The only one is missed by the next call.
            if asked.is_some() || servers.len() > 1 {
                join_all(servers.iter().map(|server| pool.check(server, check))).await;
            }
        }
    }

    /// Looks names up again and again, as long as anybody else has the servers.
    pub(super) async fn watch_names(pool: Weak<Self>, every: Duration) {
        loop {
            sleep(every.max(Duration::from_millis(1))).await;
            let Some(pool) = pool.upgrade() else { return };
            if pool.names.is_empty() {
                return;
            }
            pool.look_up(Instant::now()).await;
        }
    }

    async fn check(&self, server: &Server, check: HealthCheck) {
        let asking = async { server.remote(&self.plugin).await?.health().await };
        let asked = self.now();
        let answered = timeout(check.timeout, asking).await;
        let now = self.now();
        self.with(|Servers { replicas, .. }| match answered {
            Ok(Ok(())) => replicas.answered(server.number, asked, now),
            _ => replicas.missed(server.number, check.misses),
        });
    }

    pub(super) fn retried(&self, server: &Server) {
        self.tell(&BalanceEvent::Retried { target: &server.target });
    }

    pub(super) fn hedged(&self, server: &Server) {
        self.tell(&BalanceEvent::Hedged { target: &server.target });
    }

    /// Tells what changes.
    fn with<T>(&self, change: impl FnOnce(&mut Servers) -> T) -> T {
        let (changed, changes) = {
            let mut servers = self.servers();
            let changed = change(&mut servers);
            let changes = servers.replicas.take_changes().into_iter();
            // One that has left is of no interest.
            let named =
                changes.filter_map(|change| Some((servers.get(change.replica)?.target.clone(), change.what)));
            (changed, named.collect::<Vec<_>>())
        };
        for (target, what) in changes {
            self.tell(&match what {
                Changed::Breaker { from, to } => BalanceEvent::Breaker { target: &target, from, to },
                Changed::Silent => BalanceEvent::Ejected { target: &target },
                Changed::Answering => BalanceEvent::Readmitted { target: &target },
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
            BalanceEvent::Joined { target } => tracing::info!(plugin, target, "a plugin server joined"),
            BalanceEvent::Left { target } => tracing::info!(plugin, target, "a plugin server left"),
            BalanceEvent::Retried { target } => tracing::info!(plugin, target, "a call is tried again"),
            BalanceEvent::Hedged { target } => tracing::info!(plugin, target, "a call is hedged"),
            BalanceEvent::Known { .. }
            | BalanceEvent::Forgotten { .. }
            | BalanceEvent::Asked { .. }
            | BalanceEvent::Over { .. } => {}
        }
        if let Some(observer) = &self.observer {
            observer.tell(event);
        }
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}
