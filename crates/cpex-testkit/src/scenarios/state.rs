//! What is written back of the state that plugins share (P1b, P13, B11).

use cpex_core::OnError::Ignore;
use cpex_core::Phase::{self, Audit, Concurrent, FireAndForget, Sequential, Transform};
use cpex_core::record::Fate::{self, Cancelled, Denied, Detached, Failed, Ran, TimedOut};

use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::{Does, Plugin};

pub(super) fn table() -> Vec<Scenario> {
    [by_phase().to_vec(), shared(), lost()].concat()
}

/// Changes one key, adds one, deletes one.
fn writer(phase: Phase) -> Plugin {
    Plugin { drops_state: &["old"], ..Plugin::new("a", phase).writes_state(&["new", "x"]) }
}

fn by_phase() -> [Scenario; 5] {
    let written = vec![("new", "a"), ("x", "a")];
    let kept = vec![("old", "caller"), ("x", "caller")];
    [
        (Sequential, Ran, written.clone()),
        (Transform, Ran, written.clone()),
        (Audit, Ran, kept.clone()),
        (Concurrent, Ran, written),
        (FireAndForget, Detached, kept),
    ]
    .map(|(phase, fate, state): (_, Fate, _)| {
        let case = Case { state: &["old", "x"], ..Case::of(&[writer(phase)]) };
        let expected = Expected { state, ..Expected::completed(&[("a", fate)]) };
        rule("P13, B11", format!("{phase:?} that adds, changes and deletes"), case, expected)
    })
}

fn shared() -> Vec<Scenario> {
    let slow = Plugin::new("s", Concurrent).takes_ms(9).writes_state(&["y"]);
    let fast = Plugin::new("f", Concurrent).writes_state(&["x"]);
    vec![
        rule(
            "B11",
            "a plugin does not write back what it only read",
            Case { state: &["x", "y"], ..Case::of(&[slow, fast]) },
            Expected {
                state: vec![("x", "f"), ("y", "s")],
                ..Expected::completed(&[("f", Ran), ("s", Ran)])
            }
            .took_ms(9),
        ),
        rule(
            "P13",
            "of two that write a key the last to end wins",
            Case::of(&[slow.writes_state(&["x"]), fast]),
            Expected::completed(&[("f", Ran), ("s", Ran)]).state("s").took_ms(9),
        ),
    ]
}

fn lost() -> Vec<Scenario> {
    let loud = writer(Sequential).writes_metadata(&["last"]).on_error(Ignore);
    let untouched = |fate| Expected {
        state: vec![("old", "caller"), ("x", "caller")],
        ..Expected::completed(&[("a", fate)])
    };
    let case = |plugins: &[Plugin]| Case { state: &["old", "x"], ..Case::of(plugins) };
    vec![
        rule(
            "P1b",
            "a failure that is passed over leaves nothing",
            case(&[loud.does(Does::Fail)]),
            untouched(Failed { disabled: false }),
        ),
        rule(
            "P1b",
            "one that takes too long leaves nothing",
            case(&[loud.does(Does::Hang).within_ms(5)]),
            untouched(TimedOut { disabled: false }).took_ms(5),
        ),
        rule(
            "P19",
            "a sibling that is stopped leaves nothing",
            case(&[
                Plugin::new("d", Concurrent).takes_ms(1).denies("no"),
                writer(Concurrent).writes_metadata(&["last"]).takes_ms(9),
            ]),
            Expected {
                state: vec![("old", "caller"), ("x", "caller")],
                ..Expected::ends("halted by d: no", &[("d", Denied), ("a", Cancelled)])
            }
            .took_ms(1),
        ),
    ]
}
