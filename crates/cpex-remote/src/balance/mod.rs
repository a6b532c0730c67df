//! One plugin on several servers, and what is done with a server that fails.
//!
//! A name that stands for several addresses is several servers: it is looked up again and again, and each address has
//! connections, a breaker and health checks of its own.
//!
//! tonic has a balancer, too. This one serves all transports alike, so that MCP and Unix sockets have what gRPC has; it
//! knows whether a call was delivered, which decides whether it may go to another server; and it leaves alone a server
//! whose calls fail, where tonic's looks at connections only.

mod breaker;
mod replicas;

mod config;
mod error;
mod lookup;

mod pool;
mod servers;

mod balanced;
mod tries;

#[cfg(test)]
mod tests;

pub use balanced::{Answer, Balanced, ReplicaStatus};
pub use breaker::{Breaker, BreakerConfig, Pass, State};
pub use config::{BalanceConfig, BalanceEvent, HealthCheck, Observer, Repeat};
pub use error::BalanceError;
pub use lookup::{Lookup, Resolver};
pub use replicas::{Change, Changed, Replicas, Ticket};
