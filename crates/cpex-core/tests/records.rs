//! The columns of the published execution records (R3, R5, B18).

use cpex_core::Phase::{self, Audit, Concurrent, FireAndForget, Sequential, Transform};
use cpex_core::record::Fate::{
    Cancelled, Denied, Detached, Failed, Interrupted, Ran, Refused, Skipped, Suppressed, TimedOut,
};
use cpex_core::record::Status::{self, Completed, Disabled, Error, Timeout};
use cpex_core::record::{Detail, Execution, Fate, Notes, Skip};
use cpex_core::{Fault, Record};
use cpex_testkit::Sim;

type Row = (Status, Option<bool>, bool, Option<bool>, bool);

const ALLOWED: Row = (Completed, Some(true), true, Some(false), false);
const CHANGED: Row = (Completed, Some(true), true, Some(true), true);
const DENIED: Row = (Completed, Some(false), false, Some(true), true);
const RAISED: Row = (Error, None, false, None, true);

#[derive(Clone, Copy)]
enum With {
    Nothing,
    Payload,
    Extensions,
    Fault,
}

fn row(phase: Phase, fate: Fate, with: With, detail: Detail) -> Option<Row> {
    let record = Record::<Sim> {
        entry: 0,
        fate,
        payload_modified: matches!(with, With::Payload),
        extensions_modified: matches!(with, With::Extensions),
        discarded: None,
        duration_ns: 0,
        notes: matches!(with, With::Fault)
            .then(|| Box::new(Notes { fault: Some(Fault::Error("failed")), ..Notes::default() })),
    };
    let of = |e: Execution| (e.status, e.requested_allow, e.effective_allow, e.matched, e.applied);
    record.execution(phase, detail).map(of)
}

#[test]
fn records_are_published_as_0_1_4_does() {
    for (phase, fate, with, expected) in [
        (Sequential, Ran, With::Nothing, Some(ALLOWED)),
        (Sequential, Ran, With::Payload, Some(CHANGED)),
        (Audit, Ran, With::Extensions, Some(CHANGED)),
        (Sequential, Denied, With::Nothing, Some(DENIED)),
        (Concurrent, Denied, With::Nothing, Some(DENIED)),
        (Transform, Suppressed, With::Nothing, Some(ALLOWED)),
        (Transform, Suppressed, With::Payload, Some(CHANGED)),
        (Audit, Suppressed, With::Nothing, Some(ALLOWED)),
        (Sequential, Failed { disabled: false }, With::Fault, Some(ALLOWED)),
        (Sequential, Failed { disabled: true }, With::Fault, Some(ALLOWED)),
        (Sequential, TimedOut { disabled: false }, With::Fault, Some((Timeout, None, true, None, true))),
        (Transform, TimedOut { disabled: true }, With::Fault, Some((Timeout, None, true, None, false))),
        (Audit, TimedOut { disabled: false }, With::Fault, Some((Timeout, None, true, None, false))),
        (Concurrent, TimedOut { disabled: false }, With::Fault, Some((Timeout, None, true, None, false))),
        (FireAndForget, Detached, With::Nothing, Some((Completed, None, true, None, false))),
        (Sequential, Refused, With::Nothing, Some(DENIED)),
        (Sequential, Failed { disabled: false }, With::Nothing, Some(RAISED)),
        (Audit, TimedOut { disabled: false }, With::Nothing, Some(RAISED)),
        (Sequential, Interrupted, With::Nothing, None),
        (Concurrent, Cancelled, With::Nothing, None),
        (Sequential, Skipped(Skip::Disabled), With::Nothing, None),
        (Sequential, Skipped(Skip::Ended), With::Nothing, None),
    ] {
        assert_eq!(row(phase, fate, with, Detail::Compatible), expected, "{phase:?} {fate:?}");
    }
}

#[test]
fn in_full_what_is_hidden_has_its_own_name() {
    for (fate, with, expected) in [
        (Failed { disabled: false }, With::Fault, (Error, None, true, None, false)),
        (Failed { disabled: true }, With::Fault, (Error, None, true, None, false)),
        (Interrupted, With::Nothing, RAISED),
        (Cancelled, With::Nothing, (Status::Cancelled, None, true, None, false)),
        (Skipped(Skip::Disabled), With::Nothing, (Disabled, None, true, None, false)),
        (Skipped(Skip::Ended), With::Nothing, (Status::Skipped, None, true, None, false)),
    ] {
        assert_eq!(row(Sequential, fate, with, Detail::Full), Some(expected), "{fate:?}");
    }
}

#[test]
fn in_full_nothing_is_left_out_and_what_is_published_else_stays() {
    let fates =
        [Ran, Denied, Suppressed, Refused, Detached, TimedOut { disabled: false }, Interrupted, Cancelled];
    for fate in fates {
        let [compatible, full] =
            [Detail::Compatible, Detail::Full].map(|detail| row(Audit, fate, With::Fault, detail));
        assert!(full.is_some(), "{fate:?}");
        assert!(compatible.is_none() || compatible == full, "{fate:?}");
    }
}
