//! Random operations against an invocation, by a driver that keeps to nothing.

use arbitrary::Unstructured;
use cpex_core::Misuse;

use crate::case::Case;
use crate::journal::{Journal, Todo};
use crate::run::Run;
use crate::{decode, laws};

/// Something a driver might do at any time.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// Ask what to do next, and do none of it.
    Poll,
    /// Say that an entry has ended as scripted.
    End(usize),
    /// Say that an entry took too long.
    TimeOut(usize),
    /// Say that an entry has been cancelled.
    Cancelled(usize),
    /// Say that the caller gives up.
    Abort,
    /// Let this many milliseconds pass.
    Pass(u64),
}

/// Does all of this, then drives the invocation to its end.
///
/// # Panics
/// If the invocation waits for nothing.
#[must_use]
pub fn play(case: &Case, ops: &[Op]) -> Run {
    let mut journal = Journal::start(case);
    let mut now_ms = 0;
    for op in ops {
        // The journal notes what was a misuse.
        let _ = op.apply(&mut journal, &mut now_ms);
    }
    finish(journal, now_ms)
}

/// The operations without those that are misuses.
#[must_use]
pub fn without_misuses(case: &Case, ops: &[Op]) -> Vec<Op> {
    let mut journal = Journal::start(case);
    let mut now_ms = 0;
    ops.iter().filter(|op| op.apply(&mut journal, &mut now_ms).is_ok()).copied().collect()
}

impl Op {
    fn apply(self, journal: &mut Journal, now_ms: &mut u64) -> Result<(), Misuse> {
        match self {
            Self::Poll => {
                journal.poll();
            }
            Self::Abort => journal.abort(),
            Self::Pass(ms) => *now_ms += ms,
            Self::End(entry) => return journal.end(entry, *now_ms),
            Self::TimeOut(entry) => return journal.time_out(entry, None, *now_ms),
            Self::Cancelled(entry) => return journal.cancelled(entry, *now_ms),
        }
        Ok(())
    }
}

fn finish(mut journal: Journal, now_ms: u64) -> Run {
    loop {
        match journal.poll() {
            Todo::Done => return journal.into_run(),
            Todo::Wait => {
                let ended = (0..journal.len()).find(|entry| journal.end(*entry, now_ms).is_ok());
                assert!(ended.is_some(), "waits for nothing");
            }
            Todo::Start(..) | Todo::Detach(..) | Todo::Cancel(_) => {}
        }
    }
}

/// What the fuzzer runs: reads a case and operations from bytes, and checks every law.
///
/// # Panics
/// If a law does not hold.
pub fn fuzz_one(bytes: &[u8]) {
    let mut bytes = Unstructured::new(bytes);
    let Ok(case) = decode::case(&mut bytes) else { return };
    let Ok(ops) = decode::ops(&mut bytes) else { return };
    let run = play(&case, &ops);
    for (name, law) in laws::ALL {
        assert!(law(&run), "{name}\n{case:#?}\n{ops:?}\n{}", run.digest());
    }
}
