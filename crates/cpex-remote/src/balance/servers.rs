//! The servers of a plugin, as they are now: those with an address, and those that names stand for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::OnceCell;

use super::balanced::ReplicaStatus;
use super::breaker::{BreakerConfig, State};
use super::lookup::Family;
use super::replicas::Replicas;
use crate::error::RemoteError;
use crate::remote::{Remote, RemoteConfig};

/// A server, and the connections to it.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) number: usize,
    /// Where it is.
    pub(super) target: Arc<str>,
    config: RemoteConfig,
    /// Which of those that were given it comes from.
    endpoint: usize,
    /// One of those that a name stands for. A name that was never found stands for a server without one.
    address: Option<SocketAddr>,
    remote: OnceCell<Arc<Remote>>,
    missed: Mutex<Option<Missed>>,
}

/// The last attempt to reach a server that never was.
#[derive(Debug)]
struct Missed {
    when: Instant,
    kind: io::ErrorKind,
    why: String,
}

impl Server {
    /// A client of it. Whatever keeps it from being made, no call is on its way.
    pub(super) async fn remote(&self, plugin: &str) -> Result<Arc<Remote>, RemoteError> {
        let came = Instant::now();
        let unreached = |source| RemoteError::Connect { target: self.target.to_string(), source };
        let connect = async || {
            // Who had to wait for another's attempt would have no better luck, and no time left for another server.
            if let Some(source) = self.missed_since(came) {
                return Err(unreached(source));
            }
            let error = match Remote::connect(plugin, self.config.clone()).await {
                Ok(remote) => return Ok(Arc::new(remote)),
                Err(error @ RemoteError::TimedOut(_)) => {
                    unreached(io::Error::new(io::ErrorKind::TimedOut, error))
                }
                Err(RemoteError::Disconnected(source)) => unreached(source),
                Err(error) => error,
            };
            if let RemoteError::Connect { source, .. } | RemoteError::Reconnect { source, .. } = &error {
                let missed = Missed { when: Instant::now(), kind: source.kind(), why: source.to_string() };
                *self.missed.lock().unwrap_or_else(PoisonError::into_inner) = Some(missed);
            }
            Err(error)
        };
        self.remote.get_or_try_init(connect).await.cloned()
    }

    /// Does it but keep the place of those that a name stands for?
    pub(super) fn is_placeholder(&self) -> bool {
        self.address.is_none()
    }

    fn missed_since(&self, came: Instant) -> Option<io::Error> {
        let missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = missed.as_ref().filter(|missed| missed.when >= came)?;
        Some(io::Error::new(missed.kind, missed.why.clone()))
    }

    pub(super) async fn close(&self) {
        if let Some(remote) = self.remote.get() {
            remote.close().await;
        }
    }
}

/// The servers of a plugin.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) replicas: Replicas,
    known: BTreeMap<usize, Arc<Server>>,
}

/// A server is one, or is none any more.
#[derive(Debug)]
pub(super) enum Moved {
    Joined(Arc<Server>),
    Left(Arc<Server>, State),
}

impl Servers {
    pub(super) fn new(endpoints: &[RemoteConfig], breaker: BreakerConfig) -> Self {
        let mut servers = Self { replicas: Replicas::new(0, breaker), known: BTreeMap::new() };
        for (endpoint, config) in endpoints.iter().enumerate() {
            servers.join(endpoint, config.clone(), None);
        }
        servers
    }

    pub(super) fn get(&self, number: usize) -> Option<&Arc<Server>> {
        self.known.get(&number)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.known.values()
    }

    /// The family of addresses by which servers of this endpoint are reached.
    pub(super) fn family(&self, endpoint: usize) -> Option<Family> {
        let states = self.replicas.status();
        let in_use = |(server, (state, _)): (&Arc<Server>, _)| match (server.endpoint == endpoint, state) {
            (true, State::Closed) => server.address,
            _ => None,
        };
        self.all().zip(states).find_map(in_use).map(Family::of)
    }

    /// The servers of an endpoint are those at these addresses. Of those that stay, all that is known stays known; calls
    /// of those that leave go on.
    pub(super) fn found(
        &mut self,
        endpoint: usize,
        config: &RemoteConfig,
        addresses: &[SocketAddr],
    ) -> Vec<Moved> {
        let addresses: BTreeSet<_> = addresses.iter().copied().collect();
        let of_endpoint = || self.known.values().filter(|server| server.endpoint == endpoint);
        let known: BTreeSet<_> = of_endpoint().filter_map(|server| server.address).collect();
        let is_gone =
            |server: &&Arc<Server>| server.address.is_none_or(|address| !addresses.contains(&address));
        let gone: Vec<_> = of_endpoint().filter(is_gone).cloned().collect();
        let mut moved = Vec::new();
        for address in addresses.difference(&known) {
            moved.push(Moved::Joined(self.join(endpoint, config.at(*address), Some(*address))));
        }
        for server in gone {
            self.known.remove(&server.number);
            if let Some(state) = self.replicas.leave(server.number) {
                moved.push(Moved::Left(server, state));
            }
        }
        moved
    }

    pub(super) fn status(&self) -> Vec<ReplicaStatus> {
        let status = |(server, (state, outstanding)): (&Arc<Server>, _)| ReplicaStatus {
            target: server.target.to_string(),
            state,
            outstanding,
            silent: self.replicas.is_silent(server.number),
        };
        self.all().zip(self.replicas.status()).map(status).collect()
    }

    fn join(&mut self, endpoint: usize, config: RemoteConfig, address: Option<SocketAddr>) -> Arc<Server> {
        let number = self.replicas.join();
        let target = config.target().into();
        let server = Server {
            number,
            target,
            config,
            endpoint,
            address,
            remote: OnceCell::new(),
            missed: Mutex::default(),
        };
        self.known.entry(number).or_insert(Arc::new(server)).clone()
    }
}
