//! A breaker: a server that keeps failing is left alone for a while, then tried.
//!
//! ```text
//!            failures in a row                    the wait is over
//!   Closed ────────────────────► Open (a while) ──────────────────► Half-open (one call at a time)
//!     ▲                           ▲      twice as long, up to a limit        │
//!     │                           └────────── a failure ─────────────────────┤
//!     └────────────────────────────────────── successes in a row ────────────┘
//! ```
//!
//! It reads no clock: every method is told the time, counted from a beginning that is the caller's choice.

use std::fmt;
use std::time::Duration;

/// When a breaker opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open at first. Each time it opens again without having closed, twice as long.
    pub wait: Duration,
    /// The longest that it stays open.
    pub longest_wait: Duration,
    /// Successes in a row that close it once it is half-open.
    pub successes: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            successes: 2,
        }
    }
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It lets them through.
    Closed,
    /// It lets none through before this time.
    Open {
        /// From then on one is tried.
        until: Duration,
    },
    /// It lets one through at a time.
    HalfOpen,
}

/// In a word.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        })
    }
}

/// A breaker of one server.
#[derive(Clone, Debug)]
pub struct Breaker {
    config: BreakerConfig,
    state: State,
    /// In a row: failures while closed, successes while half-open.
    streak: u32,
    /// How often it has opened since it was closed.
    opened: u32,
    trial: bool,
    /// Calls that began before are not judged by.
    epoch: u64,
}

/// A call that was let through.
#[derive(Debug)]
#[must_use = "a breaker that does not learn how the call ended waits for it"]
pub struct Pass {
    epoch: u64,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(config: BreakerConfig) -> Self {
        Self { config, state: State::Closed, streak: 0, opened: 0, trial: false, epoch: 0 }
    }

    /// What it does with calls.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Would a call be let through now?
    #[must_use]
    pub fn admits(&self, now: Duration) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } => now >= until,
            State::HalfOpen => !self.trial,
        }
    }

    /// A call asks to be let through.
    pub fn admit(&mut self, now: Duration) -> Option<Pass> {
        if !self.admits(now) {
            return None;
        }
        match self.state {
            State::Closed => {}
            State::Open { .. } => {
                self.turn(State::HalfOpen);
                self.trial = true;
            }
            State::HalfOpen => self.trial = true,
        }
        Some(Pass { epoch: self.epoch })
    }

    /// A call ended well. One that was let through before the state changed says nothing about the server of now.
    pub fn succeeded(&mut self, pass: Pass) {
        if pass.epoch != self.epoch {
            return;
        }
        match self.state {
            State::Closed => self.streak = 0,
            State::HalfOpen => {
                self.trial = false;
                self.streak += 1;
                if self.streak >= self.config.successes {
                    self.opened = 0;
                    self.turn(State::Closed);
                }
            }
            State::Open { .. } => {}
        }
    }

    /// A call failed, and the server is to blame.
    pub fn failed(&mut self, pass: Pass, now: Duration) {
        if pass.epoch != self.epoch {
            return;
        }
        match self.state {
            State::Closed => {
                self.streak += 1;
                if self.streak >= self.config.failures {
                    self.open(now);
                }
            }
            State::HalfOpen => self.open(now),
            State::Open { .. } => {}
        }
    }

    /// A call was given up: nothing is known of the server.
    pub fn abandoned(&mut self, pass: Pass) {
        if pass.epoch == self.epoch {
            self.trial = false;
        }
    }

    /// Whatever kept the server from being reached is over: if the breaker is open, the wait is over, too.
    pub fn end_wait(&mut self, now: Duration) {
        if let State::Open { until } = &mut self.state {
            *until = now.min(*until);
        }
    }

    fn open(&mut self, now: Duration) {
        let wait = self.config.wait.saturating_mul(1 << self.opened.min(16)).min(self.config.longest_wait);
        self.opened += 1;
        self.turn(State::Open { until: now.saturating_add(wait) });
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.streak = 0;
        self.trial = false;
        self.epoch += 1;
    }
}
