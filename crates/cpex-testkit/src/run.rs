//! What happened, in order, and what came of it.

use core::time::Duration;
use std::sync::Arc;

use cpex_core::record::Fate;
use cpex_core::verdict::Ending;
use cpex_core::{End, LineUp, Outcome, Record};

use crate::case::Case;
use crate::extensions::Extensions;
use crate::plugin::Plugin;
use crate::request::Request;
use crate::values::{Payload, Sim};

/// Everything that passed between a driver and an invocation, and what came of it.
pub struct Run {
    /// What was run.
    pub case: Case,
    /// Its plugins in running order.
    pub line_up: Arc<LineUp<Plugin>>,
    /// What the caller passed.
    pub original: Payload,
    /// What the plugins left in the request.
    pub request: Request,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// What came of it.
    pub outcome: Outcome<Sim>,
    /// How the detached ended, as far as the world played them.
    pub background: Vec<(usize, Ending)>,
    /// How long it took on the clock of the world.
    pub took_ms: u64,
}

/// Something the driver was asked to do, or told.
#[derive(Clone, Debug)]
pub enum Step {
    /// Asked to start a plugin.
    Started(Started),
    /// Asked to stop a plugin.
    Cancel(usize),
    /// Asked to wait.
    Wait,
    /// Asked to take the outcome.
    Done,
    /// Told that a plugin has ended.
    Ended(usize, How),
    /// Told that the caller gives up.
    Aborted,
    /// Making a copy for a plugin was interrupted.
    CopyInterrupted,
    /// Told that a plugin has ended that was not running.
    Misused(usize),
}

/// A plugin was started.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its index in the line-up.
    pub entry: usize,
    /// What it was given.
    pub payload: Payload,
    /// What the pipeline had made of the caller's payload until then.
    pub current: Payload,
    /// What it was shown of the extensions.
    pub shown: Option<Extensions>,
    /// How long it may take.
    pub limit: Option<Duration>,
}

/// How a plugin ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It answered.
    Replied {
        /// Go on?
        allow: bool,
    },
    /// It ended without an answer.
    Failed(Ending),
    /// It was stopped.
    Cancelled,
}

impl Run {
    /// The plugin of an entry.
    #[must_use]
    pub fn plugin(&self, entry: usize) -> Plugin {
        self.line_up.entries()[entry].plugin
    }

    /// The record of an entry.
    #[must_use]
    pub fn record(&self, entry: usize) -> Option<&Record<Sim>> {
        self.outcome.records.iter().find(|record| record.entry == entry)
    }

    /// What became of an entry.
    #[must_use]
    pub fn fate(&self, entry: usize) -> Option<Fate> {
        self.record(entry).map(|record| record.fate)
    }

    /// The starts, in order.
    pub fn started(&self) -> impl Iterator<Item = &Started> {
        self.steps.iter().filter_map(|step| match step {
            Step::Started(started) => Some(started),
            _ => None,
        })
    }

    /// The ends, in order.
    pub fn ended(&self) -> impl Iterator<Item = (usize, How)> {
        self.steps.iter().filter_map(|step| match step {
            Step::Ended(entry, how) => Some((*entry, *how)),
            _ => None,
        })
    }

    /// How it ended, in words.
    #[must_use]
    pub fn ending(&self) -> String {
        let name = |entry: usize| self.plugin(entry).name;
        match &self.outcome.end {
            End::Completed => "completed".to_owned(),
            End::Halted { entry, violation: None } => format!("halted by {}", name(*entry)),
            End::Halted { entry, violation: Some(why) } => format!("halted by {}: {why}", name(*entry)),
            End::Raised { entry: None, fault } => format!("raised: {}", words(fault)),
            End::Raised { entry: Some(entry), fault } => {
                format!("raised by {}: {}", name(*entry), words(fault))
            }
        }
    }

    /// What each plugin that was started was given.
    #[must_use]
    pub fn seen(&self) -> Vec<(&'static str, &str)> {
        self.started().map(|s| (self.plugin(s.entry).name, s.payload.body().name.as_str())).collect()
    }

    /// Everything that can be observed of the run, as text, without the misuses.
    #[must_use]
    pub fn digest(&self) -> String {
        let steps: Vec<_> = self.steps.iter().filter(|step| !matches!(step, Step::Misused(_))).collect();
        let payload = self.outcome.payload.as_ref().map(Payload::body);
        let (extensions, retry) = (&self.outcome.extensions, self.outcome.retry_delay_ms);
        let end = self.ending();
        format!("{steps:?} {:?} {payload:?} {extensions:?} {retry} {end}", self.outcome.records)
    }
}

fn words(fault: &cpex_core::Fault<Sim>) -> &'static str {
    match fault {
        cpex_core::Fault::Timeout(_) => "timeout",
        cpex_core::Fault::Error(why) | cpex_core::Fault::Refusal(why) | cpex_core::Fault::Interrupt(why) => {
            why
        }
    }
}
