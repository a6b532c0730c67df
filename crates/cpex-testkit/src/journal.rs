//! An invocation and its host, with everything that passes between them and the driver written down.

use core::time::Duration;

use cpex_core::action::Work;
use cpex_core::{Action, Fault, Invocation, Misuse, Phase};

use crate::case::Case;
use crate::extensions::Extensions;
use crate::plugin::{Does, Plugin};
use crate::request::Request;
use crate::run::{How, Run, Started, Step};
use crate::values::{Payload, Sim};

/// What the driver has to do, without the payload, which the journal keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Todo {
    /// Start this plugin.
    Start(usize, Option<Duration>),
    /// Start this plugin in the background.
    Detach(usize, Option<Duration>),
    /// Stop this plugin.
    Cancel(usize),
    /// Wait until a plugin has ended.
    Wait,
    /// Nothing more.
    Done,
}

/// An invocation with a memory.
pub struct Journal {
    case: Case,
    invocation: Invocation<Sim>,
    request: Request,
    original: Payload,
    given: Vec<Option<(Payload, Option<Extensions>)>>,
    steps: Vec<Step>,
}

impl Journal {
    /// Starts the invocation of a case at the beginning of time.
    #[must_use]
    pub fn start(case: &Case) -> Self {
        let line_up = case.line_up();
        let original = Payload::original();
        Self {
            case: case.clone(),
            request: Request::new(case, line_up.clone()),
            given: vec![None; line_up.entries().len()],
            steps: Vec::new(),
            invocation: Invocation::<Sim>::start(
                line_up,
                case.settings(),
                original.clone(),
                case.extensions.clone(),
                &case.facts(),
                |plugin| plugin.disabled,
                0,
            ),
            original,
        }
    }

    /// How many entries the line-up has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.given.len()
    }

    /// Has the line-up no entries?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// The plugin of an entry; a stranger if there is no such entry.
    #[must_use]
    pub fn plugin(&self, entry: usize) -> Plugin {
        let entry = self.invocation.line_up().entries().get(entry);
        entry.map_or(Plugin::new("stranger", Phase::Sequential), |entry| entry.plugin)
    }

    /// Asks what to do next.
    pub fn poll(&mut self) -> Todo {
        let interrupted = self.request.interrupted;
        let action = self.invocation.poll(&mut self.request);
        if self.request.interrupted && !interrupted {
            self.steps.push(Step::CopyInterrupted);
        }
        let (step, todo) = match action {
            Action::Call(work) | Action::Spawn(work) => {
                let todo = Todo::Start(work.entry, work.timeout);
                (self.started(work), todo)
            }
            Action::Detach(work) => {
                let todo = Todo::Detach(work.entry, work.timeout);
                (self.started(work), todo)
            }
            Action::Cancel(entry) => (Step::Cancel(entry), Todo::Cancel(entry)),
            Action::Wait => (Step::Wait, Todo::Wait),
            Action::Done => (Step::Done, Todo::Done),
        };
        self.steps.push(step);
        todo
    }

    /// Tells that a plugin has ended as its script says.
    ///
    /// # Errors
    /// [`Misuse`] if it was not running.
    pub fn end(&mut self, entry: usize, now_ms: u64) -> Result<(), Misuse> {
        let plugin = self.plugin(entry);
        match plugin.does {
            Does::Answer(answer) => {
                let given = self.given.get(entry).and_then(Option::as_ref);
                let (payload, shown) = given.map_or((&self.original, None), |(p, shown)| (p, shown.as_ref()));
                let reply = plugin.reply(payload, shown);
                let told = self.invocation.handle_reply(&mut self.request, entry, reply, ns(now_ms));
                self.note(entry, How::Replied { allow: answer.allow }, told)
            }
            Does::Fail => self.fault(entry, Fault::Error("failed"), now_ms),
            Does::Refuse => self.fault(entry, Fault::Refusal("refused"), now_ms),
            Does::Interrupt => self.fault(entry, Fault::Interrupt("interrupted"), now_ms),
            Does::Hang => self.time_out(entry, None, now_ms),
        }
    }

    /// Tells that a plugin has taken too long.
    ///
    /// # Errors
    /// [`Misuse`] if it was not running.
    pub fn time_out(&mut self, entry: usize, limit: Option<Duration>, now_ms: u64) -> Result<(), Misuse> {
        self.fault(entry, Fault::Timeout(limit), now_ms)
    }

    /// Tells that a plugin has been cancelled.
    ///
    /// # Errors
    /// [`Misuse`] if it was not running or not to be cancelled.
    pub fn cancelled(&mut self, entry: usize, now_ms: u64) -> Result<(), Misuse> {
        let told = self.invocation.handle_cancelled(entry, ns(now_ms));
        self.note(entry, How::Cancelled, told)
    }

    /// Tells that the caller gives up.
    pub fn abort(&mut self) {
        self.invocation.handle_abort(Fault::Interrupt("gave up"));
        self.steps.push(Step::Aborted);
    }

    /// What has happened, and what came of it.
    #[must_use]
    pub fn into_run(self) -> Run {
        Run {
            line_up: self.invocation.line_up().clone(),
            case: self.case,
            original: self.original,
            request: self.request,
            steps: self.steps,
            outcome: self.invocation.into_outcome(),
            background: Vec::new(),
            took_ms: 0,
        }
    }

    fn started(&mut self, Work { entry, payload, extensions, timeout }: Work<Sim>) -> Step {
        self.given[entry] = Some((payload.clone(), extensions.clone()));
        let current = self.invocation.payload().clone();
        Step::Started(Started { entry, payload, current, shown: extensions, limit: timeout })
    }

    fn fault(&mut self, entry: usize, fault: Fault<Sim>, now_ms: u64) -> Result<(), Misuse> {
        let how = How::Failed(fault.ending());
        let told = self.invocation.handle_fault(&mut self.request, entry, fault, ns(now_ms));
        self.note(entry, how, told)
    }

    fn note(&mut self, entry: usize, how: How, told: Result<(), Misuse>) -> Result<(), Misuse> {
        self.steps.push(if told.is_ok() { Step::Ended(entry, how) } else { Step::Misused(entry) });
        told
    }
}

const fn ns(ms: u64) -> u64 {
    ms * 1_000_000
}
