//! One plugin on several servers, and what is done with a server that fails.

mod balanced;
mod breaker;
mod replicas;

#[cfg(test)]
mod tests;

pub use balanced::{BalanceError, Balanced, ReplicaStatus};
pub use breaker::{Breaker, BreakerConfig, Pass, State};
pub use replicas::{Replicas, Ticket};
