//! The payload policy: when a plugin gets a copy, and which of its changes are taken.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::action::Settings;
use crate::host::{Host, Restriction, Values};
use crate::phase::Phase;

/// What the plugins of a hook may change in its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Anything: the hook has no policy and the default is to allow.
    Open,
    /// Nothing: the hook has no policy and the default is to deny.
    Closed,
    /// The writable fields of its policy.
    Writable,
}

/// Which plugins get a copy of the payload on a hook whose rule is [`Rule::Open`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Those that only observe; the others share it, as the published framework has it.
    Observers,
    /// All.
    Always,
}

/// How a proposed payload relates to the one it would replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same type or a subtype: can be compared field by field.
    SameKind,
    /// A payload of another type, as some hooks return; taken whole.
    OtherPayload,
    /// No payload at all.
    Foreign,
}

/// Why a changed payload was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// The phase only observes.
    Phase,
    /// The plugin denied, and that halted the pipeline.
    Denied,
    /// The hook has no policy and the default is to deny.
    DefaultDeny,
    /// What the plugin returned is no payload.
    Foreign,
    /// None of the changed fields is writable.
    NothingWritable,
    /// No field is changed.
    Unchanged,
}

impl Discard {
    /// Why, in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Phase => "this mode cannot modify the payload",
            Self::Denied => "a plugin that denies hands no payload on",
            Self::DefaultDeny => "the hook has no policy and the default is deny",
            Self::Foreign => "what the plugin returned is not a payload",
            Self::NothingWritable => "none of the changed fields is writable",
            Self::Unchanged => "no field is changed",
        }
    }
}

/// What became of a proposed payload: the one to go on with, or why not.
#[derive(Debug)]
pub(crate) struct Acceptance<P> {
    pub(crate) payload: Result<P, (Discard, P)>,
    pub(crate) trimmed: Vec<Box<str>>,
}

/// Must the plugins of this phase see a copy?
///
/// Under a policy every plugin does. Without one, the isolation decides about those that may modify; those that
/// may not never reach the original.
pub(crate) fn needs_isolation<V: Values>(
    host: &impl Host<V>,
    settings: &Settings,
    phase: Phase,
    payload: &V::Payload,
) -> bool {
    settings.rule != Rule::Open
        || settings.isolation == Isolation::Always
        || !phase.rules().may_modify
        || host.is_open_container(payload)
}

/// Which part of a proposed payload is taken.
pub(crate) fn accept<V: Values>(
    host: &mut impl Host<V>,
    rule: Rule,
    phase: Phase,
    target: &V::Payload,
    proposed: V::Payload,
) -> Result<Acceptance<V::Payload>, V::Error> {
    let whole = |payload| Ok(Acceptance { payload, trimmed: Vec::new() });
    if !phase.rules().may_modify {
        return whole(Err((Discard::Phase, proposed)));
    }
    match rule {
        Rule::Open => whole(Ok(proposed)),
        Rule::Closed => whole(Err((Discard::DefaultDeny, proposed))),
        Rule::Writable => match host.relation(target, &proposed) {
            Relation::SameKind => {
                let Restriction { payload, trimmed } = host.restrict(target, &proposed)?;
                let why = if trimmed.is_empty() { Discard::Unchanged } else { Discard::NothingWritable };
                Ok(Acceptance { payload: payload.ok_or((why, proposed)), trimmed })
            }
            Relation::OtherPayload => whole(Ok(proposed)),
            Relation::Foreign => whole(Err((Discard::Foreign, proposed))),
        },
    }
}
