//! Calls one plugin on several servers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::OnceCell;

use super::breaker::{BreakerConfig, State};
use super::replicas::{Replicas, Ticket};
use crate::error::{Delivery, RemoteError};
use crate::json::Json;
use crate::message::{Call, Reply};
use crate::remote::{Remote, RemoteConfig};

/// A client of one plugin that runs on several servers, or on one that may fail.
///
/// A call goes to the server with the fewest calls under way. One that keeps failing is left alone for a while. A call
/// that a server did not take goes to another; one that a server may have taken does not.
#[derive(Debug)]
pub struct Balanced {
    plugin: String,
    endpoints: Vec<Endpoint>,
    replicas: Mutex<Replicas>,
    began: Instant,
}

#[derive(Debug)]
struct Endpoint {
    config: RemoteConfig,
    remote: OnceCell<Arc<Remote>>,
}

/// No server has answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BalanceError {
    /// The last one that was asked did not.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// All of them have failed lately and are left alone.
    #[error("all {0} servers have failed lately and are left alone for a while")]
    Open(usize),
}

impl BalanceError {
    /// How far the call came.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Remote(error) => error.delivery(),
            Self::Open(_) => Delivery::NotDelivered,
        }
    }
}

/// What is known of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// Where it is.
    pub target: String,
    /// What is done with calls for it.
    pub state: State,
    /// Calls under way.
    pub outstanding: usize,
}

/// A call under way, given up when dropped.
struct Held<'b> {
    balanced: &'b Balanced,
    ticket: Option<Ticket>,
}

impl Held<'_> {
    fn end(mut self, ended: &Result<impl Sized, RemoteError>) {
        let Some(ticket) = self.ticket.take() else { return };
        let mut replicas = self.balanced.replicas();
        match ended {
            Ok(_) => replicas.succeeded(ticket),
            Err(error) if is_callers_fault(error) => replicas.abandoned(ticket),
            Err(_) => replicas.failed(ticket, self.balanced.now()),
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.balanced.replicas().abandoned(ticket);
        }
    }
}

impl Balanced {
    /// A client of `plugin` on these servers. Each is connected to when it is first asked.
    #[must_use]
    pub fn new(plugin: impl Into<String>, endpoints: Vec<RemoteConfig>, breaker: BreakerConfig) -> Self {
        let replicas = Mutex::new(Replicas::new(endpoints.len(), breaker));
        let endpoints =
            endpoints.into_iter().map(|config| Endpoint { config, remote: OnceCell::new() }).collect();
        Self { plugin: plugin.into(), endpoints, replicas, began: Instant::now() }
    }

    /// The plugin's configuration; `None` if the server that was asked has no such plugin.
    ///
    /// # Errors
    /// If no server answers properly.
    pub async fn plugin_config(&self) -> Result<Option<Json>, BalanceError> {
        self.ask(|remote| async move { remote.plugin_config().await }).await
    }

    /// Runs a hook of the plugin. Dropping the call gives it up on the server, too.
    ///
    /// # Errors
    /// If there is no reply. Another server is asked only if the call was not delivered to the one before.
    pub async fn invoke(&self, call: &Call) -> Result<Reply, BalanceError> {
        self.ask(|remote| async move { remote.invoke(call).await }).await
    }

    /// Says goodbye to all servers.
    pub async fn close(&self) {
        for remote in self.endpoints.iter().filter_map(|endpoint| endpoint.remote.get()) {
            remote.close().await;
        }
    }

    /// What is known of each server, in the order in which they were given.
    #[must_use]
    pub fn status(&self) -> Vec<ReplicaStatus> {
        let replicas = self.replicas();
        let named = self.endpoints.iter().zip(replicas.status());
        named
            .map(|(endpoint, (state, outstanding))| ReplicaStatus {
                target: endpoint.config.target(),
                state,
                outstanding,
            })
            .collect()
    }

    async fn ask<T, F: Future<Output = Result<T, RemoteError>>>(
        &self,
        ask: impl Fn(Arc<Remote>) -> F,
    ) -> Result<T, BalanceError> {
        let (mut asked, mut last) = (Vec::new(), None);
        loop {
            let chosen = self.replicas().choose(self.now(), &asked);
            let Some(ticket) = chosen else {
                return Err(last.map_or(BalanceError::Open(self.endpoints.len()), BalanceError::Remote));
            };
            let replica = ticket.replica();
            let held = Held { balanced: self, ticket: Some(ticket) };
            let ended = match self.remote(replica).await {
                Ok(remote) => ask(remote).await,
                Err(error) => Err(error),
            };
            held.end(&ended);
            match ended {
                Ok(answer) => return Ok(answer),
                Err(error) if error.delivery() == Delivery::NotDelivered && !is_callers_fault(&error) => {
                    asked.push(replica);
                    last = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn remote(&self, replica: usize) -> Result<Arc<Remote>, RemoteError> {
        let Endpoint { config, remote } = &self.endpoints[replica];
        let connect = async || Remote::connect(&self.plugin, config.clone()).await.map(Arc::new);
        remote.get_or_try_init(connect).await.cloned()
    }

    fn replicas(&self) -> MutexGuard<'_, Replicas> {
        self.replicas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

/// No server could have done better.
fn is_callers_fault(error: &RemoteError) -> bool {
    matches!(error, RemoteError::Unsendable(_) | RemoteError::TooLarge { .. } | RemoteError::Token)
}
