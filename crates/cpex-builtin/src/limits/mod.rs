//! Limits on how much and how often: the rate limiter, the cost budget and the circuit breaker.
//!
//! Each is a pure machine that is told the time ([`bucket`], [`account`], [`breaker`]) and a guard that keeps one
//! such machine per key, in memory or in Redis ([`rate_limiter`], [`cost_budget`], [`circuit_breaker`]).
//!
//! # What holds
//! * A decision over several limits is all or nothing: a call that one of them refuses is charged to none.
//! * With Redis, a decision is one script, run at once by the server and by the server's clock. However many hosts
//!   share a limit, they share one count, and their clocks do not matter.
//! * A limit is never exceeded because an answer was lost: what may have been charged stays charged.
//! * Memory is bounded: keys that are as good as new make room, and at the bound the key nearest to that goes first.
//! * Redis knows no user and no header: its keys are digests. The password of its address is in no log and no error.
//!
//! # What does not hold
//! * **Failover.** Redis replicates behind the answer. A replica that takes over has not seen the last moments, and
//!   as many calls may pass once more. `WAIT` would not change that; a limit that must survive it belongs into a
//!   database.
//! * **The server's clock.** When it jumps ahead, limits recover by as much too early; when it jumps back, they
//!   recover once it has caught up. A calendar's period is the server's; only where periods begin and end is told
//!   by the host, and a decision is refused when the two disagree by a whole period.
//! * **While Redis is away**, `when_away: {local: {hosts: n}}` starts from empty counts, so an outage is worth up to
//!   one more helping of each limit; and it is exact only if there are `n` hosts.
//! * **Settlements** that are lost leave what was reserved. To stay within a budget come what may, reserve the most
//!   that a call may cost.
//! * **Clusters.** All keys of a decision are in one slot, but redirections are not followed: a cluster needs an
//!   address that answers for all of it.
//! * **Eviction.** Redis must not evict these keys: use a `volatile-*` policy with room to spare, or `noeviction`.

pub mod account;
mod accounts;
pub mod amount;
mod backend;
pub mod breaker;
pub mod bucket;
pub mod circuit_breaker;
pub mod cost;
pub mod cost_budget;
pub mod decision;
pub mod key;
pub(crate) mod keyed;
#[cfg(feature = "redis")]
mod link;
pub mod moment;
pub mod rate;
pub mod rate_limiter;
pub mod span;
pub mod store;

pub use circuit_breaker::{CircuitBreaker, CircuitBreakerConfig};
pub use cost_budget::{CostBudget, CostBudgetConfig};
pub use decision::{Decision, Judge, Verdict};
pub use key::{Facts, KeySpec, Part};
pub use rate_limiter::{RateLimiter, RateLimiterConfig};
