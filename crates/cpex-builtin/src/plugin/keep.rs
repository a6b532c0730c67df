//! What plugins keep from a hook before something to the one after it.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many calls of one request can be under way at once; of more, the oldest is given up.
const MOST: usize = 256;

/// What one plugin keeps while one request lasts.
///
/// A host makes one per request and plugin when [`Request::keep`](super::Request::keep) asks for it, answers with the
/// same from then on, and drops it with the request. Clones are the same keep. What is
/// still in it when it is dropped is given up: a probe that the circuit breaker let pass frees its place, and what
/// was reserved of a budget stays spent.
#[derive(Clone, Default)]
pub struct Keep {
    kept: Arc<Mutex<VecDeque<Kept>>>,
}

/// What is kept of a call, and which call it is: the pair of hooks and the subject.
struct Kept {
    pair: Box<str>,
    subject: Option<Box<str>>,
    value: Box<dyn Any + Send>,
}

impl Keep {
    /// Keeps something of a call until the hook after it.
    pub(super) fn put(&self, pair: &str, subject: Option<&str>, value: impl Any + Send) {
        let kept = Kept { pair: pair.into(), subject: subject.map(Into::into), value: Box::new(value) };
        let mut all = self.lock();
        let given_up = (all.len() >= MOST).then(|| all.pop_front()).flatten();
        all.push_back(kept);
        drop(all);
        drop(given_up);
    }

    /// What was kept last of such a call. Calls that were refused in between never come to the hook after it: theirs
    /// are older.
    pub(super) fn take<T: 'static>(&self, pair: &str, subject: Option<&str>) -> Option<T> {
        let mut all = self.lock();
        let same = |kept: &Kept| *kept.pair == *pair && kept.subject.as_deref() == subject;
        let place = all.iter().rposition(same)?;
        let kept = all.remove(place)?;
        drop(all);
        kept.value.downcast().ok().map(|value| *value)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep").field("calls", &self.lock().len()).finish()
    }
}
