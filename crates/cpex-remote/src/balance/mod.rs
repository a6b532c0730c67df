//! One plugin on several servers, and what is done with a server that fails.

mod breaker;
mod replicas;

mod config;
mod pool;

mod balanced;
mod tries;

#[cfg(test)]
mod tests;

pub use balanced::{Answer, BalanceError, Balanced, ReplicaStatus};
pub use breaker::{Breaker, BreakerConfig, Pass, State};
pub use config::{BalanceConfig, BalanceEvent, HealthCheck, Observer, Repeat};
pub use replicas::{Change, Changed, Replicas, Ticket};
