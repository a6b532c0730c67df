//! How calls are spread, and what is done when they fail.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::breaker::{BreakerConfig, State};
use super::lookup::Lookup;

/// How calls are spread over servers.
#[derive(Clone, Debug, Default)]
pub struct BalanceConfig {
    /// When a server whose calls fail is left alone.
    pub breaker: BreakerConfig,
    /// How servers are watched while nobody calls. If it is not said, as usual where there are several, and not at all
    /// where there is one.
    pub health: Option<HealthCheck>,
    /// The plugin is idempotent: a call that may have run may run again, and how. If it is not said, no call does.
    pub repeat: Option<Repeat>,
    /// For a whole call, with all its tries. If it is not said, the longest `timeout` of a server.
    pub deadline: Option<Duration>,
    /// How names of servers are looked up.
    pub lookup: Lookup,
    /// Told what happens.
    pub observer: Option<Observer>,
}

/// How servers are watched: `grpc.health.v1` or `cpex.Health` over gRPC, `ping` over MCP, the plugin's configuration over a
/// Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// From one check to the next.
    pub interval: Duration,
    /// For an answer.
    pub timeout: Duration,
    /// Checks in a row without an answer that eject a server.
    pub misses: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self { interval: Duration::from_secs(5), timeout: Duration::from_secs(2), misses: 2 }
    }
}

/// How calls of an idempotent plugin are repeated, within the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// How often a call that failed is tried again, on another server if there is one.
    pub retries: u32,
    /// Before the first of these tries; the next ones wait longer, up to 5 s.
    pub wait: Duration,
    /// A call without a reply for so long is sent to another server as well, once. The first reply counts, and the other
    /// call is given up.
    pub hedge_after: Option<Duration>,
}

impl Default for Repeat {
    fn default() -> Self {
        Self { retries: 1, wait: Duration::from_millis(50), hedge_after: None }
    }
}

/// What happens among the servers of a plugin, for metrics and records; logs tell it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BalanceEvent<'e> {
    /// There is a server that may be asked, with a closed breaker: from the start, for a name until it is looked up, or as
    /// one that a name stands for.
    Known {
        /// Where it is.
        target: &'e str,
    },
    /// It is not asked any more: no name stands for it, or there is no client any more.
    Forgotten {
        /// Where it is.
        target: &'e str,
        /// What was done with calls for it.
        state: State,
    },
    /// It is asked.
    Asked {
        /// Where it is.
        target: &'e str,
    },
    /// What it was asked is over: it has answered, or nobody waits any more.
    Over {
        /// Where it is.
        target: &'e str,
    },
    /// A breaker opened, tries a call, or closed.
    Breaker {
        /// Where the server is.
        target: &'e str,
        /// What was done with calls for it.
        from: State,
        /// What is done now. Times are counted from when the client was made.
        to: State,
    },
    /// A server does not answer health checks any more.
    Ejected {
        /// Where it is.
        target: &'e str,
    },
    /// It answers them again.
    Readmitted {
        /// Where it is.
        target: &'e str,
    },
    /// A name stands for one more server.
    Joined {
        /// Where it is.
        target: &'e str,
    },
    /// No name stands for a server any more.
    Left {
        /// Where it is.
        target: &'e str,
    },
    /// A call that failed is tried again.
    Retried {
        /// Where it goes now.
        target: &'e str,
    },
    /// A call that takes long was sent to another server as well.
    Hedged {
        /// Where it went, too.
        target: &'e str,
    },
}

/// Told what happens. It is called where it happens: it returns at once.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&BalanceEvent<'_>) + Send + Sync>);

impl Observer {
    /// Calls this.
    #[must_use]
    pub fn new(observe: impl Fn(&BalanceEvent<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    pub(super) fn tell(&self, event: &BalanceEvent<'_>) {
        (self.0)(event);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer(…)")
    }
}
