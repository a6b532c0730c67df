//! Text scanners that stand next to each other share one walk.
//!
//! The first scanner of a run looks at the payload for all of them; the others answer with what that walk has found,
//! as long as they are shown exactly what the walk has shown them. Every scanner still answers for itself, with its
//! own report, denial and changes, and the outcome is that of as many walks one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::builtin::{Builtin, scan, told};
use super::payload::Shown;
use super::reply::{Decision, Reply};
use crate::inspect::{Detector, each};

/// Text scanners that stand next to each other on a hook.
///
/// When the plan of a hook is made, put those together that follow one another in its order, run one at a time, and
/// take part in every call: without conditions, and in the phase that can both stop and change (`sequential`). That
/// one of them is out of service for a while, or that something else has changed the payload in between, costs a
/// walk and changes nothing.
#[derive(Clone, Debug)]
pub struct Run {
    scanners: Arc<[Arc<Builtin>]>,
}

/// What the scanners of a hook remember of one invocation. Make one per invocation, hand it to each of them in turn,
/// and drop it with the invocation: nothing is remembered across.
#[derive(Debug)]
pub struct Scans<H> {
    /// The run whose turn it is.
    run: Option<Run>,
    /// How often one of it has looked for those behind it.
    attempts: usize,
    scan: Option<Scan<H>>,
}

/// After so many walks for all, each looks for itself: what those before make is not what those behind are shown.
const MOST_ATTEMPTS: usize = 2;

/// What one walk has found.
#[derive(Debug)]
struct Scan<H> {
    /// The scanner that looked, for itself and those behind it.
    first: usize,
    /// The payload that it was shown.
    shown: H,
    /// What those behind `first` came to, up to one that denied. The payload of a change is in `made`.
    others: Vec<Reply<()>>,
    /// The payload that each has made, from `first` on.
    made: Vec<Option<H>>,
}

impl Run {
    /// A run, or `None` if there are fewer than two, or one of them is no text scanner.
    #[must_use]
    pub fn new(scanners: Vec<Arc<Builtin>>) -> Option<Self> {
        let shares = scanners.len() > 1 && scanners.iter().all(|scanner| scanner.detector().is_some());
        shares.then(|| Self { scanners: scanners.into() })
    }

    /// What the scanner at a place of the run answers: what [`Builtin::call`] would, at the cost of one walk for all
    /// of the run if it can be shared.
    ///
    /// # Errors
    /// The payload cannot be read.
    ///
    /// # Panics
    /// There is no such place in the run, or its scanner panics. A scanner that fails fails for itself: a walk that
    /// another one has made fail is not shared.
    pub fn answer<P: Shown>(
        &self,
        place: usize,
        payload: &P,
        scans: &mut Scans<P::Handle>,
    ) -> Result<Reply<P>, P::Error> {
        if !scans.run.as_ref().is_some_and(|run| Arc::ptr_eq(&run.scanners, &self.scanners)) {
            *scans = Scans { run: Some(self.clone()), ..Scans::default() };
        }
        if let Some(reply) = scans.scan.as_ref().and_then(|scan| scan.reply(place, payload)) {
            return Ok(reply);
        }
        if scans.attempts < MOST_ATTEMPTS {
            scans.attempts += 1;
            if let Some((scan, reply)) = self.walk(place, payload) {
                scans.scan = Some(scan);
                return Ok(reply);
            }
        }
        scan(self.detector(place), payload)
    }

    /// One walk for the scanner at a place and all behind it; `None` if they cannot share it.
    fn walk<P: Shown>(&self, first: usize, payload: &P) -> Option<(Scan<P::Handle>, Reply<P>)> {
        let detectors: Vec<&dyn Detector> =
            (first..self.scanners.len()).map(|place| self.detector(place)).collect();
        if detectors.len() < 2 {
            return None;
        }
        let inspections = catch_unwind(AssertUnwindSafe(|| each(payload, &detectors))).ok()?.ok()??;
        let mut replies = inspections.into_iter().map(|found| told(found.report, found.changed));
        let own = replies.next()?;
        let mut made = vec![made_by(&own)];
        let mut others = Vec::with_capacity(detectors.len() - 1);
        for reply in replies {
            made.push(made_by(&reply));
            others.push(reply.map(drop));
        }
        Some((Scan { first, shown: payload.handle(), others, made }, own))
    }

    fn detector(&self, place: usize) -> &dyn Detector {
        self.scanners[place].detector().unwrap_or_else(|| unreachable!("a run is made of scanners"))
    }
}

fn made_by<P: Shown>(reply: &Reply<P>) -> Option<P::Handle> {
    match &reply.decision {
        Decision::Modify(made) => Some(made.handle()),
        Decision::Allow | Decision::Deny(_) => None,
    }
}

impl<H> Scan<H> {
    /// What the scanner at a place came to, if it is shown what the walk has shown it.
    fn reply<P: Shown<Handle = H>>(&self, place: usize, payload: &P) -> Option<Reply<P>> {
        let index = place.checked_sub(self.first)?;
        let reply = self.others.get(index.checked_sub(1)?)?.clone();
        let last_made = self.made[..index].iter().flatten().next_back();
        if !payload.is(last_made.unwrap_or(&self.shown)) {
            return None;
        }
        let made = self.made[index].as_ref();
        let Reply { decision, metadata, retry_after } = reply;
        let decision = match (decision, made) {
            (Decision::Modify(()), Some(made)) => Decision::Modify(payload.of(made)),
            (Decision::Deny(denial), _) => Decision::Deny(denial),
            (Decision::Allow | Decision::Modify(()), _) => Decision::Allow,
        };
        Some(Reply { decision, metadata, retry_after })
    }
}

impl<H> Default for Scans<H> {
    fn default() -> Self {
        Self { run: None, attempts: 0, scan: None }
    }
}
