//! The verdict of every phase, failure policy and ending.

use cpex_core::verdict::Ending::{self, Allowed, Denied, Failed, Interrupted, Refused, TimedOut};
use cpex_core::verdict::Verdict::{self, Disable, Halt, Ignore, Proceed, Raise, Suppress};
use cpex_core::verdict::judge;
use cpex_core::{OnError, Phase};

const ENDINGS: [Ending; 6] = [Allowed, Denied, Failed, TimedOut, Refused, Interrupted];

/// The verdicts of a phase, a row per `on_error` (fail, ignore, disable), a column per ending.
type Rows = [[Verdict; 6]; 3];

#[rustfmt::skip]
const BLOCKING: Rows = [
    [Proceed, Halt,     Raise,   Raise,   Raise,   Raise],
    [Proceed, Halt,     Ignore,  Ignore,  Raise,   Raise],
    [Proceed, Halt,     Disable, Disable, Raise,   Raise],
];
#[rustfmt::skip]
const OBSERVING: Rows = [
    [Proceed, Suppress, Raise,   Raise,   Raise,   Raise],
    [Proceed, Suppress, Ignore,  Ignore,  Raise,   Raise],
    [Proceed, Suppress, Disable, Disable, Raise,   Raise],
];
#[rustfmt::skip]
const DETACHED: Rows = [
    [Proceed, Suppress, Ignore,  Ignore,  Ignore,  Ignore],
    [Proceed, Suppress, Ignore,  Ignore,  Ignore,  Ignore],
    [Proceed, Suppress, Disable, Disable, Disable, Ignore],
];

#[test]
fn every_ending_has_its_verdict() {
    let table = [BLOCKING, OBSERVING, OBSERVING, BLOCKING, DETACHED];
    for (phase, rows) in Phase::ALL.into_iter().zip(table) {
        for (on_error, row) in [OnError::Fail, OnError::Ignore, OnError::Disable].into_iter().zip(rows) {
            assert_eq!(ENDINGS.map(|ending| judge(phase, on_error, ending)), row, "{phase:?} {on_error:?}");
        }
    }
}

#[test]
fn a_denial_halts_where_the_table_of_phases_lets_it() {
    for phase in Phase::ALL {
        let halts = judge(phase, OnError::Ignore, Denied) == Halt;
        assert_eq!(halts, phase.rules().may_block, "{phase:?}");
    }
}
