//! The machine behind the circuit breaker: closed, open, half open. Told the time, it never reads a clock.
//!
//! *Closed*, calls pass and their outcomes are counted. Too many failures open it. *Open*, calls are refused.
//! After a while it is *half open*: a few probes pass. If all of them succeed it closes; if one fails, or is not
//! answered in the time it would have stayed open, it opens again.

use std::time::Duration;

use super::keyed::Fades;
use super::moment::{Moment, micros};

/// When a breaker opens and closes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Opens after so many failures in a row; `None`: not for that reason.
    pub consecutive: Option<u32>,
    /// Opens when failures reach a share of the calls; `None`: not for that reason.
    pub rate: Option<FailureRate>,
    /// How long it stays open.
    pub open_for: Duration,
    /// How many probes must succeed to close it; as many run at once.
    pub probes: u32,
}

/// A share of failed calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailureRate {
    /// Above 0, up to 1.
    pub share: f64,
    /// Of the calls in this time.
    pub window: Duration,
    /// If they are at least so many.
    pub minimum: u32,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target did its work.
    Success,
    /// The target failed.
    Failure,
    /// Says nothing about the target: cancelled, or refused by somebody else.
    Unknown,
}

/// The right to call once, to be given back with the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Permit {
    /// In which life of the breaker it was given. What comes of it in a later one does not count.
    life: u64,
}

/// The state, as shown to operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// Probes pass.
    HalfOpen,
}

/// One breaker.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    phase: Phase,
    /// Counts the changes of phase.
    life: u64,
    /// When it is as good as new, if nothing happens: once it is closed and its last call has left the window.
    fades: Moment,
}

const NEVER: Moment = Moment::from_micros(u64::MAX);

#[derive(Clone, Debug)]
enum Phase {
    Closed { in_a_row: u32, recent: Recent },
    Open { until: Moment },
    HalfOpen { until: Moment, running: u32, succeeded: u32 },
}

impl Default for Phase {
    fn default() -> Self {
        Self::Closed { in_a_row: 0, recent: Recent::default() }
    }
}

impl Breaker {
    /// Asks to call.
    ///
    /// # Errors
    /// How long calls are refused.
    pub fn admit(&mut self, settings: &Settings, now: Moment) -> Result<Permit, Duration> {
        match &mut self.phase {
            Phase::Closed { .. } => {}
            Phase::Open { until } if now < *until => return Err(until.since(now)),
            Phase::Open { .. } => {
                let until = now + settings.open_for;
                self.enter(Phase::HalfOpen { until, running: 1, succeeded: 0 });
            }
            Phase::HalfOpen { until, running, succeeded } => {
                if *running + *succeeded < settings.probes {
                    *running += 1;
                } else if now < *until {
                    return Err(until.since(now));
                } else {
                    return Err(self.open(settings, now));
                }
            }
        }
        Ok(Permit { life: self.life })
    }

    /// Tells what came of a call that was admitted. Returns whether that changed the state.
    pub fn report(&mut self, settings: &Settings, permit: Permit, outcome: Outcome, now: Moment) -> bool {
        if permit.life != self.life {
            return false;
        }
        match &mut self.phase {
            Phase::Open { .. } => false,
            Phase::Closed { in_a_row, recent } => {
                let failed = match outcome {
                    Outcome::Unknown => return false,
                    Outcome::Success => false,
                    Outcome::Failure => true,
                };
                *in_a_row = if failed { in_a_row.saturating_add(1) } else { 0 };
                let in_a_row = *in_a_row;
                let too_often = settings.rate.is_some_and(|rate| recent.add(rate, failed, now));
                self.fades = match settings.rate {
                    _ if in_a_row > 0 => NEVER,
                    Some(rate) => now + rate.window,
                    None => now,
                };
                let opens =
                    failed && (too_often || settings.consecutive.is_some_and(|most| in_a_row >= most));
                if opens {
                    self.open(settings, now);
                }
                opens
            }
            Phase::HalfOpen { running, succeeded, .. } => {
                *running = running.saturating_sub(1);
                match outcome {
                    Outcome::Unknown => return false,
                    Outcome::Failure => {
                        self.open(settings, now);
                    }
                    Outcome::Success => {
                        *succeeded += 1;
                        if *succeeded < settings.probes {
                            return false;
                        }
                        self.enter(Phase::default());
                        self.fades = now;
                    }
                }
                true
            }
        }
    }

    /// The state at a moment.
    #[must_use]
    pub fn state(&self, now: Moment) -> State {
        match self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { until } if now < until => State::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => State::HalfOpen,
        }
    }

    fn open(&mut self, settings: &Settings, now: Moment) -> Duration {
        let until = now + settings.open_for;
        self.enter(Phase::Open { until });
        settings.open_for
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.fades = NEVER;
        self.life += 1;
    }
}

impl Fades for Breaker {
    fn fades(&self) -> Moment {
        self.fades
    }
}

/// Outcomes in a window that moves on by a tenth of its length.
#[derive(Clone, Copy, Debug, Default)]
struct Recent {
    parts: [Part; PARTS],
    newest: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    calls: u32,
    failures: u32,
}

const PARTS: usize = 10;

impl Recent {
    /// Counts a call. Returns whether failures have reached the share.
    fn add(&mut self, rate: FailureRate, failed: bool, now: Moment) -> bool {
        let part = (now.micros() / (micros(rate.window) / PARTS as u64).max(1)).max(self.newest);
        for over in (self.newest + 1..=part).take(PARTS) {
            self.parts[slot(over)] = Part::default();
        }
        self.newest = part;
        let current = &mut self.parts[slot(part)];
        current.calls = current.calls.saturating_add(1);
        current.failures = current.failures.saturating_add(failed.into());
        let sum = |of: fn(&Part) -> u32| self.parts.iter().map(|part| u64::from(of(part))).sum::<u64>();
        let (calls, failures) = (sum(|part| part.calls), sum(|part| part.failures));
        calls >= rate.minimum.into() && failures as f64 >= rate.share * calls as f64
    }
}

#[allow(clippy::cast_possible_truncation, reason = "below PARTS")]
const fn slot(part: u64) -> usize {
    (part % PARTS as u64) as usize
}
