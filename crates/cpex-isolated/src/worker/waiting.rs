//! Who waits for which answer of a worker.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::ended::Ended;
use super::error::WorkerError;
use super::frame::{Frame, Kind};

/// Who reads what a worker sends: a number of an event loop's, or [`NETWORK`].
pub type Reader = u64;

/// The task of the runtime, which reads as long as nobody else does.
pub const NETWORK: Reader = 0;

/// Waits for the answer to one call. It is told once, unless it gives the call up.
pub trait Caller: Send {
    /// Here it is. Called by whoever reads, without a lock being held.
    fn answer(self: Box<Self>, answer: Result<Answer, WorkerError>, by: Reader);
}

/// What a worker answered: a frame that is a reply, a failure or, to a greeting, that it is ready.
#[derive(Debug)]
pub struct Answer(pub(super) Frame);

/// The calls under way on one worker. Numbers are never used twice: an answer is of the call that has its number, or of
/// none.
pub(super) struct Waiting {
    calls: HashMap<u64, Call>,
    last: u64,
    /// Calls that were not sent, or had no answer in the end.
    unanswered: u64,
    over: Option<Ended>,
}

enum Call {
    Due(Box<dyn Caller>, Kind),
    /// Nobody waits any more; the worker was told then.
    GivenUp(Instant),
}

/// Whom an answer is for.
pub(super) enum For {
    Caller(Box<dyn Caller>),
    /// The one who asked has given up.
    Nobody,
    /// Nobody has asked, or not for that: the worker broke the contract.
    Unasked,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self { calls: HashMap::new(), last: 0, unanswered: 0, over: None }
    }

    /// A call begins; `expects` is what it is answered with, unless it fails.
    pub(super) fn begin(
        &mut self,
        caller: Box<dyn Caller>,
        expects: Kind,
    ) -> Result<u64, (Box<dyn Caller>, Ended)> {
        if let Some(ended) = &self.over {
            return Err((caller, ended.clone()));
        }
        self.last += 1;
        self.calls.insert(self.last, Call::Due(caller, expects));
        Ok(self.last)
    }

    /// A call that could not be sent.
    pub(super) fn unsent(&mut self, id: u64) -> Option<Box<dyn Caller>> {
        // Those that are not there any more were counted at the end.
        let call = self.calls.remove(&id)?;
        self.unanswered += 1;
        match call {
            Call::Due(caller, _) => Some(caller),
            Call::GivenUp(_) => None,
        }
    }

    /// Nobody waits for this call any more. Returns who waited if the worker is to be told.
    pub(super) fn give_up(&mut self, id: u64, now: Instant) -> Option<Box<dyn Caller>> {
        let call = self.calls.get_mut(&id)?;
        match std::mem::replace(call, Call::GivenUp(now)) {
            Call::Due(caller, _) => Some(caller),
            given_up @ Call::GivenUp(_) => {
                *call = given_up;
                None
            }
        }
    }

    /// The worker has answered this.
    pub(super) fn answered(&mut self, id: u64, with: Kind) -> For {
        match self.calls.remove(&id) {
            Some(Call::Due(caller, expected)) if with == expected || with == Kind::Failed => {
                For::Caller(caller)
            }
            Some(Call::GivenUp(_)) => For::Nobody,
            // What it answered is not what was asked: the connection ends, and the caller with it.
            Some(due @ Call::Due(..)) => {
                self.calls.insert(id, due);
                For::Unasked
            }
            None => For::Unasked,
        }
    }

    /// There will be no more answers. Returns who waited for one.
    pub(super) fn end(&mut self, why: Ended) -> Vec<Box<dyn Caller>> {
        self.over.get_or_insert(why);
        self.unanswered += self.calls.len() as u64;
        let calls = self.calls.drain();
        calls
            .filter_map(|(_, call)| match call {
                Call::Due(caller, _) => Some(caller),
                Call::GivenUp(_) => None,
            })
            .collect()
    }

    /// Takes no more calls if there is none under way.
    pub(super) fn end_if_idle(&mut self, why: Ended) -> bool {
        let idle = self.calls.is_empty();
        if idle {
            self.over.get_or_insert(why);
        }
        idle
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.is_some()
    }

    /// How many calls the worker has answered, the greeting among them. Nobody counts them as they come.
    pub(super) fn count(&self) -> u64 {
        self.last.saturating_sub(self.unanswered).saturating_sub(self.calls.len() as u64)
    }

    /// Calls that the worker is busy with.
    pub(super) fn outstanding(&self) -> usize {
        self.calls.len()
    }

    /// For how long the call has been given up that was given up first and still has not stopped.
    pub(super) fn longest_given_up(&self, now: Instant) -> Option<Duration> {
        let given_up = self.calls.values().filter_map(|call| match call {
            Call::GivenUp(since) => Some(now.saturating_duration_since(*since)),
            Call::Due(..) => None,
        });
        given_up.max()
    }
}
