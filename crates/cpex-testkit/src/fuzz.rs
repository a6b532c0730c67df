//! Random operations against an invocation, by a driver that keeps to nothing.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::case::Case;
use crate::journal::{Journal, Todo};
use crate::run::Run;
use crate::{generate, laws};

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
        // What a driver may not do is a misuse, and the journal notes it.
        let _ = match *op {
            Op::Poll => {
                journal.poll();
                Ok(())
            }
            Op::End(entry) => journal.end(entry, now_ms),
            Op::TimeOut(entry) => journal.time_out(entry, None, now_ms),
            Op::Cancelled(entry) => journal.cancelled(entry, now_ms),
            Op::Abort => {
                journal.abort();
                Ok(())
            }
            Op::Pass(ms) => {
                now_ms += ms;
                Ok(())
            }
        };
    }
    finish(journal, now_ms)
}

fn finish(mut journal: Journal, now_ms: u64) -> Run {
    loop {
        match journal.poll() {
            Todo::Done => return journal.into_run(),
            Todo::Wait => {
                let ended = (0..journal.len()).find(|entry| journal.end(*entry, now_ms).is_ok());
                assert!(ended.is_some(), "waits for nothing");
            }
            Todo::Start(..) | Todo::Detach(_) | Todo::Cancel(_) => {}
        }
    }
}

/// What the fuzzer runs: reads a case and operations from bytes, and checks every law.
///
/// # Panics
/// If a law does not hold.
pub fn fuzz_one(bytes: &[u8]) {
    let rng = TestRng::from_seed(RngAlgorithm::PassThrough, bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let Ok(tree) = (generate::cases(), generate::ops()).new_tree(&mut runner) else { return };
    let (case, ops) = tree.current();
    let run = play(&case, &ops);
    for (name, law) in laws::ALL {
        assert!(law(&run), "{name}\n{case:#?}\n{ops:?}\n{}", run.digest());
    }
}
