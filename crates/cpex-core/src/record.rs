//! What became of each plugin of the line-up: one record per entry, always.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::action::Fault;
use crate::capability::Slot;
use crate::condition::Unmet;
use crate::extensions::Refusal;
use crate::host::Values;
use crate::payload::Discard;
use crate::phase::Phase;

/// What became of one entry of the line-up.
pub struct Record<V: Values> {
    /// The index of the entry.
    pub entry: usize,
    /// What became of it.
    pub fate: Fate,
    /// A payload change was taken.
    pub payload_modified: bool,
    /// A change of extensions was taken; of an observer: it returned some.
    pub extensions_modified: bool,
    /// Why its payload change was not taken, if it proposed one.
    pub discarded: Option<Discard>,
    /// From start to end, in nanoseconds of the driver's clock.
    pub duration_ns: u64,
    /// What there is to say of few: kept apart, so that the records of the many stay small.
    pub notes: Option<Box<Notes<V>>>,
}

/// What few records say.
pub struct Notes<V: Values> {
    /// The changed fields that the policy dropped.
    pub trimmed: Vec<Box<str>>,
    /// The slots of the extensions whose change broke the rules, and why.
    pub refused: Vec<(Slot, Refusal)>,
    /// The failure that was passed over; one that ended the pipeline is in [`End::Raised`](crate::End).
    pub fault: Option<Fault<V>>,
    /// What it said about why, where that does not halt the pipeline.
    pub violation: Option<V::Violation>,
}

/// How an entry of the line-up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It answered and allowed.
    Ran,
    /// It denied, and that halted the pipeline.
    Denied,
    /// It denied where it may not.
    Suppressed,
    /// It failed; `disabled` tells whether that took it out of service.
    Failed {
        /// Taken out of service.
        disabled: bool,
    },
    /// It took too long; `disabled` tells whether that took it out of service.
    TimedOut {
        /// Taken out of service.
        disabled: bool,
    },
    /// It raised a violation.
    Refused,
    /// It raised what no plugin may swallow.
    Interrupted,
    /// It was stopped because another plugin ended the pipeline.
    Cancelled,
    /// It was started in the background.
    Detached,
    /// It did not run.
    Skipped(Skip),
}

/// Why an entry did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It was disabled at run time.
    Disabled,
    /// None of its conditions matched; the missing part of the last one.
    Condition(Unmet),
    /// An earlier plugin ended the pipeline.
    Ended,
}

impl Fate {
    /// How, in the words of the report.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Denied | Self::Refused => "denied",
            Self::Suppressed => "suppressed",
            Self::Failed { .. } | Self::Interrupted => "failed",
            Self::TimedOut { .. } => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Detached => "detached",
            Self::Skipped(Skip::Disabled) => "disabled",
            Self::Skipped(Skip::Condition(_) | Skip::Ended) => "skipped",
        }
    }
}

impl Skip {
    /// Why, in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ended => "an earlier plugin ended the pipeline",
            Self::Disabled => "disabled",
            Self::Condition(Unmet::Server) => "condition server_ids does not match",
            Self::Condition(Unmet::Tenant) => "condition tenant_ids does not match",
            Self::Condition(Unmet::ContentType) => "condition content_types does not match",
            Self::Condition(Unmet::User) => "condition user_patterns does not match",
            Self::Condition(Unmet::Subject) => {
                "condition on the tool, prompt, resource or agent does not match"
            }
        }
    }
}

/// How a control ended, in the words of the published execution records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the published records")]
pub enum Status {
    Completed,
    Error,
    Timeout,
    Skipped,
    Cancelled,
    Disabled,
}

/// The columns of a published execution record that follow from a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in the published records")]
pub struct Execution {
    pub status: Status,
    pub requested_allow: Option<bool>,
    pub effective_allow: bool,
    pub matched: Option<bool>,
    pub applied: bool,
}

/// Which records are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// As CPEX 0.1.4 does: failures that are passed over look completed, what did not run is left out.
    Compatible,
    /// All of them, under their own names.
    Full,
}

impl<V: Values> Record<V> {
    #[inline]
    pub(crate) fn new(entry: usize, fate: Fate) -> Self {
        Self {
            entry,
            fate,
            payload_modified: false,
            extensions_modified: false,
            discarded: None,
            duration_ns: 0,
            notes: None,
        }
    }

    /// The changed fields that the policy dropped.
    #[must_use]
    pub fn trimmed(&self) -> &[Box<str>] {
        self.notes.as_ref().map_or(&[], |notes| &notes.trimmed)
    }

    /// The slots of the extensions whose change broke the rules, and why.
    #[must_use]
    pub fn refused(&self) -> &[(Slot, Refusal)] {
        self.notes.as_ref().map_or(&[], |notes| &notes.refused)
    }

    /// The failure that was passed over.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault<V>> {
        self.notes.as_ref()?.fault.as_ref()
    }

    /// What it said about why, where that does not halt the pipeline.
    #[must_use]
    pub fn violation(&self) -> Option<&V::Violation> {
        self.notes.as_ref()?.violation.as_ref()
    }

    /// Notes what it said about why.
    #[inline]
    pub(crate) fn said(&mut self, violation: Option<V::Violation>) {
        if violation.is_some() {
            self.notes().violation = violation;
        }
    }

    /// To write what few records say.
    pub(crate) fn notes(&mut self) -> &mut Notes<V> {
        self.notes.get_or_insert_default()
    }

    /// Was the plugin started?
    #[must_use]
    pub const fn started(&self) -> bool {
        !matches!(self.fate, Fate::Skipped(_))
    }

    /// The published columns of this record; `None` if it is not published.
    #[must_use]
    pub fn execution(&self, phase: Phase, detail: Detail) -> Option<Execution> {
        let full = matches!(detail, Detail::Full);
        let changed = self.payload_modified || self.extensions_modified;
        let of = Execution::row;
        match self.fate {
            Fate::Ran | Fate::Suppressed => of(Status::Completed, Some(true), true, Some(changed), changed),
            Fate::Denied | Fate::Refused => of(Status::Completed, Some(false), false, Some(true), true),
            Fate::Failed { .. } | Fate::TimedOut { .. } if self.fault().is_none() => {
                of(Status::Error, None, false, None, true)
            }
            Fate::Failed { .. } if full => of(Status::Error, None, true, None, false),
            Fate::Failed { .. } => of(Status::Completed, Some(true), true, Some(false), false),
            Fate::TimedOut { .. } => {
                of(Status::Timeout, None, true, None, matches!(phase, Phase::Sequential))
            }
            Fate::Detached => of(Status::Completed, None, true, None, false),
            Fate::Interrupted if full => of(Status::Error, None, false, None, true),
            Fate::Cancelled if full => of(Status::Cancelled, None, true, None, false),
            Fate::Skipped(Skip::Disabled) if full => of(Status::Disabled, None, true, None, false),
            Fate::Skipped(_) if full => of(Status::Skipped, None, true, None, false),
            Fate::Interrupted | Fate::Cancelled | Fate::Skipped(_) => None,
        }
    }
}

impl Execution {
    const fn row(
        status: Status,
        requested_allow: Option<bool>,
        effective_allow: bool,
        matched: Option<bool>,
        applied: bool,
    ) -> Option<Self> {
        Some(Self { status, requested_allow, effective_allow, matched, applied })
    }
}

impl<V: Values> Default for Notes<V> {
    fn default() -> Self {
        Self { trimmed: Vec::new(), refused: Vec::new(), fault: None, violation: None }
    }
}

impl<V: Values> fmt::Debug for Notes<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes")
            .field("trimmed", &self.trimmed)
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl<V: Values> fmt::Debug for Record<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("entry", &self.entry).field("fate", &self.fate).finish_non_exhaustive()
    }
}
