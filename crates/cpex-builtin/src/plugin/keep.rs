//! What plugins keep from a hook before something to the one after it.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::keyed::{Fades, Keyed};
use crate::limits::moment::Moment;

/// So many calls of one request can be under way at once; of more, the oldest is given up.
const MOST: usize = 256;

/// What one plugin keeps while one request lasts.
///
/// A host makes one per request and plugin when [`Request::keep`](super::Request::keep) asks for it, answers with the
/// same from then on, and drops it with the request. Clones are the same keep. Where callers may not carry it on, it is
/// one [of the request](Keeps::of).
///
/// What is still in it when it is dropped is given up: a probe that the circuit breaker let pass frees its place, and
/// what was reserved of a budget stays spent. A host that knows sooner that a call was refused can
/// [give it up](Self::give_up) then, if it asked with a keep [for that call](Self::for_call). The Python host does so;
/// the Rust host drops the keep with the `Context`.
#[derive(Clone, Default)]
pub struct Keep {
    kept: Shared,
    holder: Identity,
    call: Identity,
}

/// Tells one from all others.
type Identity = Arc<()>;

type Shared = Arc<Mutex<VecDeque<Kept>>>;

/// What is kept of a call, and which call it is: the pair of hooks and the subject.
struct Kept {
    holder: Identity,
    call: Identity,
    pair: Box<str>,
    subject: Option<Box<str>>,
    value: Box<dyn Any + Send>,
}

impl Keep {
    /// The same keep, for one call: it finds all that is kept, and gives up only what was put by itself.
    #[must_use]
    pub fn for_call(&self) -> Self {
        Self { call: Identity::default(), ..self.clone() }
    }

    /// Keeps something of a call until the hook after it.
    pub(super) fn put(&self, pair: &str, subject: Option<&str>, value: impl Any + Send) {
        let kept = Kept {
            holder: self.holder.clone(),
            call: self.call.clone(),
            pair: pair.into(),
            subject: subject.map(Into::into),
            value: Box::new(value),
        };
        let mut all = lock(&self.kept);
        let given_up = (all.len() >= MOST).then(|| all.pop_front()).flatten();
        all.push_back(kept);
        drop(all);
        drop(given_up);
    }

    /// What was kept last of such a call, by this keep or else by another of the request. Calls that were refused in
    /// between never come to the hook after it: theirs are older.
    pub(super) fn take<T: 'static>(&self, pair: &str, subject: Option<&str>) -> Option<T> {
        let mut all = lock(&self.kept);
        let same = |kept: &Kept| *kept.pair == *pair && kept.subject.as_deref() == subject;
        let own = all.iter().rposition(|kept| Identity::ptr_eq(&kept.holder, &self.holder) && same(kept));
        let place = own.or_else(|| all.iter().rposition(same))?;
        let kept = all.remove(place)?;
        drop(all);
        kept.value.downcast().ok().map(|value| *value)
    }

    /// Gives up what this keep has put, and not what the same keep has put [for another call](Self::for_call): the call
    /// was refused, and never comes to the hook after it.
    pub fn give_up(&self) {
        let mut all = lock(&self.kept);
        let (own, others): (VecDeque<_>, VecDeque<_>) =
            all.drain(..).partition(|kept| Identity::ptr_eq(&kept.call, &self.call));
        *all = others;
        drop(all);
        drop(own);
    }
}

fn lock(kept: &Shared) -> MutexGuard<'_, VecDeque<Kept>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one plugin keeps of the requests under way, found by their identifiers, for hosts whose callers may not carry a
/// [`Keep`] from one hook to the next. It is bounded: of more than [`REQUESTS`](Self::REQUESTS) some that have ended, or
/// else old ones, are given up, and so is what was kept for longer than [`AGE`](Self::AGE).
pub struct Keeps {
    requests: Mutex<Keyed<UnderWay>>,
}

/// What is kept of a request.
struct UnderWay {
    kept: Shared,
    since: Moment,
}

impl Keeps {
    /// So many requests can be under way at once.
    pub const REQUESTS: usize = 10_000;
    /// So long a call may take.
    pub const AGE: Duration = Duration::from_secs(60 * 60);
    /// So long a call may take that has not kept anything yet.
    const YOUTH: Duration = Duration::from_secs(10);

    /// A keep of a request. What another keep of the request has put is found by it, too, if there is nothing of its
    /// own: identifiers must tell requests apart that are under way at the same time.
    #[must_use]
    pub fn of(&self, request: &str) -> Keep {
        let now = Moment::monotonic();
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let of_request =
            requests.entry(request.as_bytes(), now, || UnderWay { kept: Shared::default(), since: now });
        let old = (of_request.fades() <= now).then(|| std::mem::take(&mut of_request.kept));
        of_request.since = now;
        let keep =
            Keep { kept: of_request.kept.clone(), holder: Identity::default(), call: Identity::default() };
        drop(requests);
        drop(old);
        keep
    }
}

impl Default for Keeps {
    fn default() -> Self {
        Self { requests: Mutex::new(Keyed::new(Self::REQUESTS)) }
    }
}

impl fmt::Debug for Keeps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeps").finish_non_exhaustive()
    }
}

impl Fades for UnderWay {
    fn fades(&self) -> Moment {
        self.since + if lock(&self.kept).is_empty() { Keeps::YOUTH } else { Keeps::AGE }
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep").field("calls", &lock(&self.kept).len()).finish()
    }
}
