//! What has happened among the servers of a plugin, counted since it was made.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use cpex_remote::balance::{BalanceEvent, State};

/// Counts of each server, by where it is.
#[derive(Debug)]
pub(super) struct Tally(HashMap<String, [AtomicU64; KINDS.len()]>);

/// What is counted: the breaker turns, health checks fail and succeed again, calls are repeated.
pub(super) const KINDS: [&str; 7] =
    ["opened", "half_opened", "closed", "ejected", "readmitted", "retried", "hedged"];

impl Tally {
    pub(super) fn new(targets: impl Iterator<Item = String>) -> Self {
        Self(targets.map(|target| (target, Default::default())).collect())
    }

    pub(super) fn note(&self, event: &BalanceEvent<'_>) {
        let (target, kind) = match *event {
            BalanceEvent::Breaker { target, to: State::Open { .. }, .. } => (target, 0),
            BalanceEvent::Breaker { target, to: State::HalfOpen, .. } => (target, 1),
            BalanceEvent::Breaker { target, to: State::Closed, .. } => (target, 2),
            BalanceEvent::Ejected { target } => (target, 3),
            BalanceEvent::Readmitted { target } => (target, 4),
            BalanceEvent::Retried { target } => (target, 5),
            BalanceEvent::Hedged { target } => (target, 6),
            _ => return,
        };
        if let Some(counts) = self.0.get(target) {
            counts[kind].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts of a server, in the order of `KINDS`.
    pub(super) fn of(&self, target: &str) -> [u64; KINDS.len()] {
        let load =
            |counts: &[AtomicU64; KINDS.len()]| counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        self.0.get(target).map(load).unwrap_or_default()
    }
}
