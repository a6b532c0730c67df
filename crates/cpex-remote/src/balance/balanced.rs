//! Calls one plugin on several servers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::breaker::{BreakerConfig, State};
use super::config::{BalanceConfig, HealthCheck};
use super::error::BalanceError;
use super::pool::Pool;
use super::tries::Bounds;
use crate::json::Json;
use crate::message::{Call, Reply};
use crate::remote::{Remote, RemoteConfig};
use crate::wire::{Announced, Features};

/// A client of one plugin that runs on several servers, or on one that may fail.
///
/// A call goes to the server with the fewest calls under way. One that keeps failing, or that does not answer health
/// checks, is left alone for a while. A call that a server did not take goes to another; one that a server may have taken
/// does not, unless the plugin is said to be idempotent ([`BalanceConfig::repeat`]).
#[derive(Debug)]
pub struct Balanced {
    pool: Arc<Pool>,
    bounds: Bounds,
    health: Option<HealthCheck>,
    lookups: Duration,
    watching: OnceLock<Option<AbortHandle>>,
}

/// A reply, and what is known of the server that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The reply.
    pub reply: Reply,
    /// What the server understands: it was sent the extensions of the call only if they are among it.
    pub server: Features,
}

/// What is known of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaStatus {
    /// Where it is.
    pub target: String,
    /// What is done with calls for it.
    pub state: State,
    /// Calls under way.
    pub outstanding: usize,
    /// It does not answer health checks: it is asked only if no other can be.
    pub silent: bool,
}

impl Balanced {
    /// A client of `plugin` on these servers, with a breaker like this for each, and all else as usual.
    #[must_use]
    pub fn new(plugin: impl Into<String>, endpoints: Vec<RemoteConfig>, breaker: BreakerConfig) -> Self {
        Self::with(plugin, endpoints, BalanceConfig { breaker, ..BalanceConfig::default() })
    }

    /// A client of `plugin` on these servers. Each is connected to when it is first asked, and watched from the first
    /// call on.
    #[must_use]
    pub fn with(plugin: impl Into<String>, endpoints: Vec<RemoteConfig>, config: BalanceConfig) -> Self {
        let longest = || endpoints.iter().map(RemoteConfig::timeout).max();
        let limit = config.deadline.or_else(longest).unwrap_or(Duration::MAX);
        // As far ahead as a clock goes that counts from when the machine started.
        let limit = limit.min(Duration::from_secs(u64::from(u32::MAX)));
        let reconnects = endpoints.iter().map(RemoteConfig::reconnects).max().unwrap_or_default();
        let (bounds, health) = (Bounds { limit, reconnects, repeat: config.repeat }, config.health);
        let endpoints: Vec<_> = endpoints.into_iter().map(RemoteConfig::once).collect();
        let lookups = config.lookup.interval;
        let pool = Arc::new(Pool::new(plugin.into(), &endpoints, config));
        Self { pool, bounds, health, lookups, watching: OnceLock::new() }
    }

    /// The plugin's configuration; `None` if the server that was asked has no such plugin.
    ///
    /// # Errors
    /// If no server answers properly.
    pub async fn plugin_config(&self) -> Result<Option<Json>, BalanceError> {
        self.announced().await.map(|announced| announced.config)
    }

    /// The plugin's configuration as a server has it, and what that server understands.
    ///
    /// # Errors
    /// If no server answers properly.
    pub async fn announced(&self) -> Result<Announced, BalanceError> {
        self.watch();
        let ask = |remote: Arc<Remote>| async move {
            let config = remote.plugin_config().await?;
            Ok(Announced { config, features: remote.understood() })
        };
        self.pool.ask(self.bounds, None, ask).await
    }

    /// Runs a hook of the plugin. Dropping the call gives it up on the server, too.
    ///
    /// # Errors
    /// If there is no reply. Another server is asked only if the call was not delivered to the one before, or if the
    /// plugin is idempotent.
    pub async fn invoke(&self, call: &Call) -> Result<Reply, BalanceError> {
        self.ask(call).await.map(|answer| answer.reply)
    }

    /// Like [`invoke`](Self::invoke), and tells what the server understands that answered.
    ///
    /// # Errors
    /// As there.
    pub async fn ask(&self, call: &Call) -> Result<Answer, BalanceError> {
        self.watch();
        let ask = |remote: Arc<Remote>| async move {
            let reply = remote.invoke(call).await?;
            Ok(Answer { reply, server: remote.understood() })
        };
        self.pool.ask(self.bounds, call.patience, ask).await
    }

    /// Says goodbye to all servers.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// What is known of each server, in the order in which they were given.
    #[must_use]
    pub fn status(&self) -> Vec<ReplicaStatus> {
        self.pool.status()
    }

    /// Begins to watch the servers, once.
    fn watch(&self) {
        self.watching.get_or_init(|| {
            let (pool, health) = (Arc::downgrade(&self.pool), self.health);
            let names = Pool::watch_names(pool.clone(), self.lookups);
            let watching = async move { tokio::join!(names, Pool::watch_health(pool, health)) };
            (health.is_some() || self.pool.may_be_several()).then(|| tokio::spawn(watching).abort_handle())
        });
    }
}

impl Drop for Balanced {
    fn drop(&mut self) {
        if let Some(Some(watching)) = self.watching.get() {
            watching.abort();
        }
    }
}
