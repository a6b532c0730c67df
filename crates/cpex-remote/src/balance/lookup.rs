//! The addresses that a name stands for.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::addresses::{Addresses, connect_to_any};

/// Servers of one name; further addresses are left out.
const MOST: usize = 256;
/// To find out which family of addresses answers.
const PATIENCE: Duration = Duration::from_secs(2);

/// How names of servers are looked up.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// By whom.
    pub resolver: Resolver,
    /// From one time to the next. A call that reaches no server does not wait for that.
    pub interval: Duration,
}

impl Default for Lookup {
    fn default() -> Self {
        Self { resolver: Resolver::default(), interval: Duration::from_secs(5) }
    }
}

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Knows the addresses that a `host:port` stands for. The system's does, unless there is another.
#[derive(Clone)]
pub struct Resolver(Arc<dyn Fn(String) -> Found + Send + Sync>);

impl Resolver {
    /// Asks this.
    #[must_use]
    pub fn new<F>(look_up: impl Fn(String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name| Box::pin(look_up(name))))
    }

    /// The addresses of one family that a name stands for: those of the other are mostly the same servers once more.
    /// With addresses of both, the family `in_use` stays in use; else it is the one that answers first.
    pub(super) async fn servers(
        &self,
        name: &str,
        allowed: Addresses,
        in_use: Option<Family>,
    ) -> io::Result<Vec<SocketAddr>> {
        let mut found = (self.0)(name.to_owned()).await?;
        found.truncate(MOST);
        let has = |family| found.iter().any(|address| Family::of(*address) == family);
        let family = match (has(Family::Four), has(Family::Six), in_use) {
            (true, false, _) => Family::Four,
            (false, _, _) => Family::Six,
            (true, true, Some(in_use)) => in_use,
            (true, true, None) => {
                let first = connect_to_any(found.iter().copied(), |address| allowed.connect(address));
                Family::of(timeout(PATIENCE, first).await??.peer_addr()?)
            }
        };
        found.retain(|address| Family::of(*address) == family);
        Ok(found)
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::new(|name| async move { Ok(lookup_host(name).await?.collect()) })
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver(…)")
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Four,
    Six,
}

impl Family {
    pub(super) fn of(address: SocketAddr) -> Self {
        if address.is_ipv6() { Self::Six } else { Self::Four }
    }
}
