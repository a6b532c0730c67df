//! What came of an invocation.

use core::fmt;

use alloc::vec::Vec;

use crate::action::Fault;
use crate::host::Values;
use crate::record::Record;

/// What came of an invocation: the end, what is handed back, and a record per entry of the line-up.
pub struct Outcome<V: Values> {
    /// How it ended.
    pub end: End<V>,
    /// The payload after the last accepted change; `None` if nobody changed it.
    pub payload: Option<V::Payload>,
    /// The extensions with all that plugins changed in them; `None` if nobody changed anything, and after a halt.
    pub extensions: Option<V::Extensions>,
    /// The longest delay a plugin asked for before a retry, in milliseconds; 0 after a halt.
    pub retry_delay_ms: i64,
    /// The entry whose payload change was accepted last.
    pub decided_by: Option<usize>,
    /// One per entry of the line-up. Those not selected come first, then all others as they ended; a detached
    /// plugin ends here when it starts.
    pub records: Vec<Record<V>>,
}

impl<V: Values> Outcome<V> {
    pub(crate) const fn empty(records: Vec<Record<V>>) -> Self {
        Self {
            end: End::Completed,
            payload: None,
            extensions: None,
            retry_delay_ms: 0,
            decided_by: None,
            records,
        }
    }
}

/// How an invocation ended.
pub enum End<V: Values> {
    /// Every plugin that takes part has run.
    Completed,
    /// A plugin said no.
    Halted {
        /// Which.
        entry: usize,
        /// Why, if it said so.
        violation: Option<V::Violation>,
    },
    /// The caller gets an error.
    Raised {
        /// The plugin it comes from; `None` if it came from outside.
        entry: Option<usize>,
        /// What went wrong.
        fault: Fault<V>,
    },
}

impl<V: Values> fmt::Debug for End<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => f.write_str("Completed"),
            Self::Halted { entry, .. } => write!(f, "Halted({entry})"),
            Self::Raised { entry, .. } => write!(f, "Raised({entry:?})"),
        }
    }
}
