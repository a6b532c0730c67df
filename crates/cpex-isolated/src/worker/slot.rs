//! The place of a worker: who has it, and what has come of those before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cpex_remote::balance::{Breaker, BreakerConfig, Pass, State};
use tokio::sync::watch;

use super::error::WorkerError;
use super::life::Worker;

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) now: Now,
    breaker: Breaker,
    /// Workers in a row that failed before they had proved good.
    pub(super) short_lived: usize,
    /// No worker is started any more.
    pub(super) closed: bool,
    pub(super) calls: Arc<AtomicU64>,
    pub(super) starts: u64,
    pub(super) faults: u64,
    changes: Changes,
}

#[derive(Debug)]
pub(super) enum Now {
    Vacant,
    Starting(Starting),
    Running(Arc<Worker>),
}

pub(super) type Started = Result<Arc<Worker>, WorkerError>;
pub(super) type Starting = watch::Receiver<Option<Started>>;

/// What a breaker was, and is now.
pub(super) type Change = (State, State);

/// How often a breaker has changed, by what it turned into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Workers are not started for a while.
    pub opened: u64,
    /// One is tried.
    pub half_opened: u64,
    /// They are started as they are needed.
    pub closed: u64,
}

/// What is known of a worker, and of those before it in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// The number of its process, if it runs.
    pub process: Option<u32>,
    /// What is done when it has to be started.
    pub breaker: State,
    /// Calls under way.
    pub outstanding: usize,
    /// Calls that were sent.
    pub calls: u64,
    /// How often it was started.
    pub starts: u64,
    /// How often it did not start, ended by itself or had to be killed.
    pub faults: u64,
    /// What the breaker has done.
    pub changes: Changes,
}

impl Slot {
    pub(super) fn new(breaker: BreakerConfig) -> Self {
        Self {
            now: Now::Vacant,
            breaker: Breaker::new(breaker),
            short_lived: 0,
            closed: false,
            calls: Arc::default(),
            starts: 0,
            faults: 0,
            changes: Changes::default(),
        }
    }

    pub(super) fn running(&self) -> Option<&Arc<Worker>> {
        match &self.now {
            Now::Running(worker) if !worker.is_over() => Some(worker),
            Now::Running(_) | Now::Vacant | Now::Starting(_) => None,
        }
    }

    /// May a worker be started?
    ///
    /// # Errors
    /// [`WorkerError::Open`] if not.
    pub(super) fn admit(&mut self, now: Duration) -> (Result<Pass, WorkerError>, Option<Change>) {
        let (pass, change) = self.with_breaker(|breaker| breaker.admit(now));
        let pass = pass.ok_or_else(|| WorkerError::Open {
            failures: self.short_lived,
            wait: match self.breaker.state() {
                State::Open { until } => until.saturating_sub(now),
                State::Closed | State::HalfOpen => Duration::ZERO,
            },
        });
        (pass, change)
    }

    /// Has the breaker do something, and says whether it has changed.
    pub(super) fn with_breaker<T>(&mut self, act: impl FnOnce(&mut Breaker) -> T) -> (T, Option<Change>) {
        let from = self.breaker.state();
        let done = act(&mut self.breaker);
        let to = self.breaker.state();
        if from == to {
            return (done, None);
        }
        let count = match to {
            State::Open { .. } => &mut self.changes.opened,
            State::HalfOpen => &mut self.changes.half_opened,
            State::Closed => &mut self.changes.closed,
        };
        *count += 1;
        (done, Some((from, to)))
    }

    pub(super) fn status(&self) -> WorkerStatus {
        let running = self.running();
        WorkerStatus {
            process: running.map(|worker| worker.process()),
            outstanding: running.map_or(0, |worker| worker.outstanding()),
            breaker: self.breaker.state(),
            calls: self.calls.load(Ordering::Relaxed),
            starts: self.starts,
            faults: self.faults,
            changes: self.changes,
        }
    }
}
