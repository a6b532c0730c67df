//! The driver of the simulated world: it does what the invocation says, on a virtual clock.

use core::time::Duration;

use cpex_core::verdict::Ending;

use crate::case::Case;
use crate::journal::{Journal, Todo};
use crate::plugin::Does;
use crate::run::Run;

/// Plays a case to its end.
#[must_use]
pub fn run(case: &Case) -> Run {
    let mut world = World::new(case);
    while world.step() {}
    Run { background: world.background, took_ms: world.now_ms, ..world.journal.into_run() }
}

/// A driver, its clock and the calls under way.
struct World {
    journal: Journal,
    now_ms: u64,
    aborts_at_ms: Option<u64>,
    calls: Vec<Call>,
    /// How the detached end, which nobody waits for.
    background: Vec<(usize, Ending)>,
}

/// A plugin call under way.
#[derive(Clone, Copy)]
struct Call {
    entry: usize,
    ends_at_ms: Option<u64>,
    due: Due,
    resists: bool,
}

#[derive(Clone, Copy)]
enum Due {
    AsScripted,
    TimedOut(Duration),
    Cancelled,
}

impl World {
    fn new(case: &Case) -> Self {
        Self {
            journal: Journal::start(case),
            now_ms: 0,
            aborts_at_ms: case.aborts_at_ms,
            calls: Vec::new(),
            background: Vec::new(),
        }
    }

    /// Does all that is to be done, lets time pass until something happens, and tells all that has happened.
    fn step(&mut self) -> bool {
        loop {
            match self.journal.poll() {
                Todo::Start(entry, limit) => {
                    let call = self.call(entry, limit);
                    self.calls.push(call);
                }
                Todo::Detach(entry, limit) => {
                    let call = self.call(entry, limit);
                    self.background.push((entry, self.ending(&call)));
                }
                Todo::Cancel(entry) => self.cancel(entry),
                Todo::Wait => break,
                Todo::Done => return false,
            }
        }
        let next_ms = self.calls.iter().filter_map(|call| call.ends_at_ms).min();
        match (next_ms, self.aborts_at_ms) {
            (Some(next), Some(abort)) if abort < next => self.abort(abort),
            (Some(next), _) => self.tell_until(next),
            (None, abort) => self.abort(abort.unwrap_or(self.now_ms)),
        }
        true
    }

    fn call(&self, entry: usize, limit: Option<Duration>) -> Call {
        let plugin = self.journal.plugin(entry);
        let takes = (!matches!(plugin.does, Does::Hang)).then(|| Duration::from_millis(plugin.takes_ms));
        let (lasts, due) = match limit {
            Some(limit) if takes.is_none_or(|takes| takes >= limit) => (Some(limit), Due::TimedOut(limit)),
            _ => (takes, Due::AsScripted),
        };
        let ends_at_ms = lasts.map(|lasts| self.now_ms + lasts.as_millis() as u64);
        Call { entry, ends_at_ms, due, resists: plugin.resists }
    }

    fn ending(&self, call: &Call) -> Ending {
        match (call.due, self.journal.plugin(call.entry).does) {
            (Due::TimedOut(_), _) => Ending::TimedOut,
            (Due::Cancelled, _) => Ending::Interrupted,
            (Due::AsScripted, does) => does.ending(),
        }
    }

    fn cancel(&mut self, entry: usize) {
        let now_ms = self.now_ms;
        for call in self.calls.iter_mut().filter(|call| call.entry == entry) {
            call.ends_at_ms = Some(now_ms);
            call.due = if call.resists { Due::AsScripted } else { Due::Cancelled };
        }
    }

    fn abort(&mut self, at_ms: u64) {
        self.now_ms = self.now_ms.max(at_ms);
        self.aborts_at_ms = None;
        self.journal.abort();
    }

    fn tell_until(&mut self, ms: u64) {
        self.now_ms = ms;
        let (over, calls) = self.calls.iter().partition(|call| call.ends_at_ms == Some(ms));
        self.calls = calls;
        for call in over {
            self.tell(call);
        }
    }

    fn tell(&mut self, Call { entry, due, .. }: Call) {
        let told = match due {
            Due::AsScripted => self.journal.end(entry, self.now_ms),
            Due::TimedOut(limit) => self.journal.time_out(entry, Some(limit), self.now_ms),
            Due::Cancelled => self.journal.cancelled(entry, self.now_ms),
        };
        assert_eq!(told, Ok(()), "the world tells only what has happened");
    }
}
