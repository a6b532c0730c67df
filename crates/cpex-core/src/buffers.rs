//! The memory of an invocation, kept for the next one.

use alloc::vec::Vec;
use core::fmt;

use crate::host::Values;
use crate::record::Record;

/// The memory of an invocation that has ended, for one that starts: then starting allocates nothing.
///
/// ```
/// use cpex_core::Buffers;
///
/// let mut buffers = Buffers::<cpex_testkit::Sim>::default();
/// buffers.keep(Vec::with_capacity(8));
/// ```
pub struct Buffers<V: Values> {
    pub(crate) states: Vec<State>,
    pub(crate) records: Vec<Record<V>>,
}

/// Where a plugin of the line-up stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Due,
    Running { since_ns: u64 },
    Cancelling { since_ns: u64 },
    Over,
}

impl<V: Values> Buffers<V> {
    /// Takes the records of an outcome back that nobody reads any more.
    pub fn keep(&mut self, mut records: Vec<Record<V>>) {
        records.clear();
        self.records = records;
    }
}

impl<V: Values> Default for Buffers<V> {
    fn default() -> Self {
        Self { states: Vec::new(), records: Vec::new() }
    }
}

impl<V: Values> fmt::Debug for Buffers<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").finish_non_exhaustive()
    }
}
