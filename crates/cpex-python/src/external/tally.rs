//! What has happened among the servers of a plugin, counted since it was made.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cpex_remote::balance::{BalanceEvent, State};

/// Counts of each server, by where it is; servers that a name stands for come and go.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<HashMap<String, Counts>>);

type Counts = [u64; KINDS.len()];

/// What is counted: the breaker turns, health checks fail and succeed again, calls are repeated.
pub(super) const KINDS: [&str; 7] =
    ["opened", "half_opened", "closed", "ejected", "readmitted", "retried", "hedged"];

impl Tally {
    pub(super) fn note(&self, event: &BalanceEvent<'_>) {
        let (target, kind) = match *event {
            BalanceEvent::Breaker { target, to: State::Open { .. }, .. } => (target, 0),
            BalanceEvent::Breaker { target, to: State::HalfOpen, .. } => (target, 1),
            BalanceEvent::Breaker { target, to: State::Closed, .. } => (target, 2),
            BalanceEvent::Ejected { target } => (target, 3),
            BalanceEvent::Readmitted { target } => (target, 4),
            BalanceEvent::Retried { target } => (target, 5),
            BalanceEvent::Hedged { target } => (target, 6),
            BalanceEvent::Left { target } => {
                self.lock().remove(target);
                return;
            }
            _ => return,
        };
        self.lock().entry(target.to_owned()).or_default()[kind] += 1;
    }

    /// The counts of a server, in the order of `KINDS`.
    pub(super) fn of(&self, target: &str) -> Counts {
        self.lock().get(target).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
