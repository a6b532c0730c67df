//! What a failure means, by mode and `on_error` (P1b, P15), and what nothing can swallow (P16, P17).

use cpex_core::OnError::{self, Disable, Fail, Ignore};
use cpex_core::Phase::{self, Audit, Concurrent, FireAndForget, Sequential, Transform};
use cpex_core::Slot;
use cpex_core::record::Fate::{
    self, Cancelled, Detached, Failed, Interrupted, Ran, Refused, Skipped, TimedOut,
};
use cpex_core::record::Skip;

use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::extensions::{Edit, Writing};
use crate::plugin::{Answer, Does, Plugin, Unreadable};

const ON_ERROR: [OnError; 3] = [Fail, Ignore, Disable];

/// The answer cannot be read: no allow, whatever it says.
const MALFORMED: Does = Does::Answer(Answer {
    extensions: Some(Writing::one(Edit::Put(Slot::Custom, "e"))),
    retry_ms: 5,
    unreadable: Some(Unreadable::Metadata),
    ..Answer::ALLOW
});

pub(super) fn table() -> Vec<Scenario> {
    let awaited = [Sequential, Transform, Audit, Concurrent];
    let by_phase = awaited.into_iter().flat_map(|phase| [handled(phase), unstoppable(phase)].concat());
    by_phase.chain([detached()]).collect()
}

/// `a` ends so; `b` of the same phase takes a while.
fn pair(phase: Phase, on_error: OnError, does: Does) -> Case {
    let a = Plugin { timeout_ms: Some(5), ..Plugin::new("a", phase).on_error(on_error).does(does) };
    Case::of(&[a, Plugin::new("b", phase).takes_ms(10)])
}

/// The pipeline ends with `a`; `b` is not started, or stopped.
fn raised(phase: Phase, why: &str, fate: Fate) -> Expected {
    let other = if phase == Concurrent { Cancelled } else { Skipped(Skip::Ended) };
    Expected::ends(&format!("raised by a: {why}"), &[("a", fate), ("b", other)])
}

fn handled(phase: Phase) -> Vec<Scenario> {
    let expect = |on_error, why, fate: fn(bool) -> Fate| match on_error {
        Fail => raised(phase, why, fate(false)),
        Ignore | Disable => Expected::completed(&[("a", fate(on_error == Disable)), ("b", Ran)]),
    };
    let failed = |disabled| Failed { disabled };
    let timed_out = |disabled| TimedOut { disabled };
    let scenarios = |on_error| {
        let says = |what| format!("{phase:?} that {what}, on_error {on_error:?}");
        let case = |does| pair(phase, on_error, does);
        [
            rule("P15", says("takes too long"), case(Does::Hang), expect(on_error, "timeout", timed_out)),
            rule("P15", says("raises"), case(Does::Fail), expect(on_error, "failed", failed)),
            rule(
                "P17",
                says("cannot be read"),
                case(MALFORMED),
                expect(on_error, "unreadable metadata", failed),
            ),
        ]
    };
    ON_ERROR.into_iter().flat_map(scenarios).collect()
}

fn unstoppable(phase: Phase) -> Vec<Scenario> {
    let scenarios = |on_error| {
        let says = |what| format!("{phase:?} that {what}, on_error {on_error:?}");
        let case = |does| pair(phase, on_error, does);
        [
            rule("P16", says("raises a violation"), case(Does::Refuse), raised(phase, "refused", Refused)),
            rule(
                "P16",
                says("is interrupted"),
                case(Does::Interrupt),
                raised(phase, "interrupted", Interrupted),
            ),
        ]
    };
    ON_ERROR.into_iter().flat_map(scenarios).collect()
}

fn detached() -> Scenario {
    let case = Case::of(&[Plugin::new("a", FireAndForget).does(Does::Fail)]);
    rule("P21", "a detached failure is nobody's business", case, Expected::completed(&[("a", Detached)]))
}
