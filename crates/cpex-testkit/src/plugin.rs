//! A scripted plugin: where it stands in the line-up and what it does when it is called.

use core::time::Duration;

use cpex_core::verdict::Ending;
use cpex_core::{Capabilities, Capability, Condition, Entry, OnError, Phase, Reply, Slot, Slots};

use crate::extensions::{Edit, Extensions, Writing};
use crate::values::{Body, Kind, Payload, Sim};
use crate::when::{HOOK, When};

/// A scripted plugin.
#[derive(Clone, Copy, Debug)]
pub struct Plugin {
    /// Unique within a case.
    pub name: &'static str,
    /// In which phase it runs.
    pub phase: Phase,
    /// Lower runs earlier within the phase.
    pub priority: i64,
    /// What its failure means.
    pub on_error: OnError,
    /// A limit of its own.
    pub timeout_ms: Option<u64>,
    /// The requests it runs for, one of which must fit; none: all.
    pub when: &'static [When],
    /// It was disabled at run time before the call.
    pub disabled: bool,
    /// How long it takes.
    pub takes_ms: u64,
    /// What comes of it then.
    pub does: Does,
    /// The keys of the shared state to which it writes its name.
    pub writes_state: &'static [&'static str],
    /// The keys of the shared state that it deletes.
    pub drops_state: &'static [&'static str],
    /// The keys of the metadata to which it writes its name.
    pub writes_metadata: &'static [&'static str],
    /// It answers although it was told to stop.
    pub resists: bool,
    /// What it may do with the extensions.
    pub capabilities: Capabilities,
    /// Its method takes no extensions.
    pub blind: bool,
}

/// What comes of a plugin call.
#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// It answers.
    Answer(Answer),
    /// It raises an error.
    Fail,
    /// It raises a violation.
    Refuse,
    /// It raises what no plugin may swallow.
    Interrupt,
    /// It never ends by itself.
    Hang,
}

impl Does {
    /// How a call ends that is left alone; one that never does is as good as cut short.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        match self {
            Self::Answer(Answer { allow: true, .. }) => Ending::Allowed,
            Self::Answer(Answer { allow: false, .. }) => Ending::Denied,
            Self::Fail => Ending::Failed,
            Self::Refuse => Ending::Refused,
            Self::Interrupt => Ending::Interrupted,
            Self::Hang => Ending::TimedOut,
        }
    }
}

/// What a plugin answers.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Go on?
    pub allow: bool,
    /// Why not.
    pub violation: Option<&'static str>,
    /// The payload it hands back.
    pub proposal: Proposal,
    /// The extensions it hands back.
    pub extensions: Option<Writing>,
    /// How long to wait before a retry.
    pub retry_ms: i64,
    /// A part of the answer that cannot be read.
    pub unreadable: Option<Unreadable>,
}

/// A part of an answer that can be unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The plugin's context.
    State,
    /// The metadata of its result.
    Metadata,
}

/// The payload that a plugin hands back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// None.
    Nothing,
    /// The one it was given.
    Same,
    /// The plugin's name appended to the name.
    Name,
    /// The plugin's name appended to the writable arguments.
    Args,
    /// Both.
    NameAndArgs,
    /// As `Args`, as a subtype.
    Subtype,
    /// A payload of another type.
    Other,
    /// No payload at all.
    Foreign,
    /// A payload that cannot be compared with the one it was given.
    Incomparable,
}

impl Answer {
    /// Go on, and nothing else.
    pub const ALLOW: Self = Self {
        allow: true,
        violation: None,
        proposal: Proposal::Nothing,
        extensions: None,
        retry_ms: 0,
        unreadable: None,
    };
}

impl Plugin {
    /// A plugin that allows at once.
    #[must_use]
    pub const fn new(name: &'static str, phase: Phase) -> Self {
        Self {
            name,
            phase,
            priority: 100,
            on_error: OnError::Fail,
            timeout_ms: None,
            when: &[],
            disabled: false,
            takes_ms: 0,
            does: Does::Answer(Answer::ALLOW),
            writes_state: &[],
            drops_state: &[],
            writes_metadata: &[],
            resists: false,
            capabilities: Capabilities::NONE,
            blind: false,
        }
    }

    /// With this priority.
    #[must_use]
    pub const fn priority(self, priority: i64) -> Self {
        Self { priority, ..self }
    }

    /// With this meaning of a failure.
    #[must_use]
    pub const fn on_error(self, on_error: OnError) -> Self {
        Self { on_error, ..self }
    }

    /// Taking this long.
    #[must_use]
    pub const fn takes_ms(self, takes_ms: u64) -> Self {
        Self { takes_ms, ..self }
    }

    /// Doing this.
    #[must_use]
    pub const fn does(self, does: Does) -> Self {
        Self { does, ..self }
    }

    /// Denying with a violation.
    #[must_use]
    pub const fn denies(self, violation: &'static str) -> Self {
        self.answers(Answer { allow: false, violation: Some(violation), ..self.answer() })
    }

    /// Denying without saying why.
    #[must_use]
    pub const fn denies_silently(self) -> Self {
        self.answers(Answer { allow: false, violation: None, ..self.answer() })
    }

    /// Handing back this payload.
    #[must_use]
    pub const fn proposes(self, proposal: Proposal) -> Self {
        self.answers(Answer { proposal, ..self.answer() })
    }

    /// Putting this into the custom slot.
    #[must_use]
    pub const fn extends(self, member: &'static str) -> Self {
        self.writes(Edit::Put(Slot::Custom, member))
    }

    /// Handing back the extensions with this edit.
    #[must_use]
    pub const fn writes(self, edit: Edit) -> Self {
        self.answers(Answer { extensions: Some(Writing::one(edit)), ..self.answer() })
    }

    /// With these capabilities.
    #[must_use]
    pub fn granted(self, capabilities: &[Capability]) -> Self {
        Self { capabilities: capabilities.iter().copied().collect(), ..self }
    }

    /// Taking no extensions.
    #[must_use]
    pub const fn blind(self) -> Self {
        Self { blind: true, ..self }
    }

    /// Asking for a retry.
    #[must_use]
    pub const fn retries_in(self, retry_ms: i64) -> Self {
        self.answers(Answer { retry_ms, ..self.answer() })
    }

    /// Writing its name to these keys of the shared state.
    #[must_use]
    pub const fn writes_state(self, keys: &'static [&'static str]) -> Self {
        Self { writes_state: keys, ..self }
    }

    /// Running for these requests only.
    #[must_use]
    pub const fn when(self, when: &'static [When]) -> Self {
        Self { when, ..self }
    }

    /// Taking no longer than this.
    #[must_use]
    pub const fn within_ms(self, limit: u64) -> Self {
        Self { timeout_ms: Some(limit), ..self }
    }

    /// Writing its name to these keys of the metadata.
    #[must_use]
    pub const fn writes_metadata(self, keys: &'static [&'static str]) -> Self {
        Self { writes_metadata: keys, ..self }
    }

    /// Answering this.
    #[must_use]
    pub const fn answers(self, answer: Answer) -> Self {
        self.does(Does::Answer(answer))
    }

    /// What it answers if it answers.
    #[must_use]
    pub const fn answer(&self) -> Answer {
        match self.does {
            Does::Answer(answer) => answer,
            Does::Fail | Does::Refuse | Does::Interrupt | Does::Hang => Answer::ALLOW,
        }
    }

    /// What it answers, given this.
    #[must_use]
    pub fn reply(&self, given: &Payload, shown: Option<&Extensions>) -> Reply<Sim> {
        let answer = self.answer();
        Reply {
            allow: answer.allow,
            violation: answer.violation,
            payload: self.propose(answer.proposal, given),
            extensions: answer.extensions.map(|writing| writing.apply(shown)),
            retry_delay_ms: answer.retry_ms,
        }
    }

    /// Its place in a line-up.
    #[must_use]
    pub fn entry(self) -> Entry<Self> {
        let condition = |when: &When| Condition::new(&when.spec(), HOOK);
        Entry {
            plugin: self,
            phase: self.phase,
            priority: self.priority,
            on_error: self.on_error,
            timeout: self.timeout_ms.map(Duration::from_millis),
            capabilities: self.capabilities,
            shown: if self.blind { Slots::NONE } else { self.capabilities.visible() },
            conditions: self.when.iter().map(condition).collect(),
        }
    }

    fn propose(&self, proposal: Proposal, given: &Payload) -> Option<Payload> {
        if matches!(proposal, Proposal::Nothing | Proposal::Same) {
            return (proposal == Proposal::Same).then(|| given.clone());
        }
        let mut body = Body { author: self.name, ..given.body().clone() };
        match proposal {
            Proposal::Nothing | Proposal::Same => {}
            Proposal::Name => body.name += self.name,
            Proposal::Args => body.args += self.name,
            Proposal::NameAndArgs => {
                body.name += self.name;
                body.args += self.name;
            }
            Proposal::Subtype => {
                body.kind = Kind::Sub;
                body.args += self.name;
            }
            Proposal::Incomparable => body.kind = Kind::Incomparable,
            Proposal::Other => body.kind = Kind::Other,
            Proposal::Foreign => body.kind = Kind::Foreign,
        }
        Some(body.into())
    }
}
