//! The table of modes (P1), the chain (P3, P23) and what is collected (P7, P8, P9, P21a).

use cpex_core::Phase::{self, Audit, Concurrent, FireAndForget, Sequential, Transform};
use cpex_core::payload::Discard;
use cpex_core::record::Fate::{Denied, Detached, Ran, Suppressed};

use super::Driver::Tokio;
use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::{Answer, Plugin, Proposal};

/// Why the Rust host has no opinion on the payload of a denial.
pub(super) const NO_PAYLOAD: &str = "a denial carries no payload in Rust";

pub(super) fn table() -> Vec<Scenario> {
    [allowing().to_vec(), denying().to_vec(), chained(), collected()].concat()
}

/// Changes all there is to change.
fn busy(phase: Phase) -> Plugin {
    Plugin::new("a", phase)
        .proposes(Proposal::Name)
        .extends("e")
        .retries_in(5)
        .writes_state(&["x"])
        .writes_metadata(&["last"])
}

fn allowing() -> [Scenario; 5] {
    let completed = || Expected::completed(&[("a", Ran)]).metadata("a").retry_ms(5);
    let changed = || completed().payload("ta", &["a"]).state("a").extensions("custom: e");
    let discarded = [("a", Discard::Phase.text()), ("a", "custom: this mode cannot modify extensions")];
    [
        (Sequential, changed()),
        (Transform, changed()),
        (Audit, completed().remarks(&discarded)),
        (Concurrent, completed().state("a").remarks(&discarded)),
        (FireAndForget, Expected::completed(&[("a", Detached)])),
    ]
    .map(|(phase, expected)| rule("P1", format!("{phase:?} that allows"), Case::of(&[busy(phase)]), expected))
}

fn denying() -> [Scenario; 5] {
    let halted = || Expected::ends("halted by a: no", &[("a", Denied)]).metadata("a").state("a");
    let suppressed = || Expected::completed(&[("a", Suppressed)]).metadata("a");
    let discarded = |why: Discard| [("a", why.text())];
    let scenario = |phase: Phase, expected: Expected| {
        rule("P1, P6", format!("{phase:?} that denies"), Case::of(&[busy(phase).denies("no")]), expected)
    };
    let without = |scenario: Scenario| scenario.but(Tokio, NO_PAYLOAD, Expected::without_payload);
    [
        without(scenario(Sequential, halted().remarks(&discarded(Discard::Denied)))),
        without(scenario(Transform, suppressed().payload("ta", &["a"]).state("a"))),
        without(scenario(Audit, suppressed().remarks(&discarded(Discard::Phase)))),
        without(scenario(Concurrent, halted().remarks(&discarded(Discard::Denied)))),
        scenario(FireAndForget, Expected::completed(&[("a", Detached)])),
    ]
}

fn appends(name: &'static str, phase: Phase) -> Plugin {
    Plugin::new(name, phase).proposes(Proposal::Name).writes_metadata(&["last"])
}

fn chained() -> Vec<Scenario> {
    let observed = [("u", Discard::Phase.text()), ("c", Discard::Phase.text())];
    vec![
        rule(
            "P23",
            "phases in order, priorities within, the payload handed on; the background is given the caller's",
            Case::of(&[
                appends("z", Sequential).priority(5),
                appends("a", Sequential).priority(5),
                appends("t", Transform),
                appends("u", Audit),
                appends("c", Concurrent),
                appends("f", FireAndForget),
                appends("y", Sequential).priority(1),
            ]),
            Expected::completed(&[
                ("y", Ran),
                ("z", Ran),
                ("a", Ran),
                ("t", Ran),
                ("u", Ran),
                ("c", Ran),
                ("f", Detached),
            ])
            .given(&[
                ("y", "t"),
                ("z", "ty"),
                ("a", "tyz"),
                ("t", "tyza"),
                ("u", "tyzat"),
                ("c", "tyzat"),
                ("f", "t"),
            ])
            .payload("tyzat", &["y", "z", "a", "t"])
            .metadata("c")
            .remarks(&observed),
        ),
        rule(
            "P1",
            "a priority counts within its phase only",
            Case::of(&[
                Plugin::new("f", FireAndForget).priority(1),
                Plugin::new("c", Concurrent).priority(2),
                Plugin::new("u", Audit).priority(3),
                Plugin::new("t", Transform).priority(4),
                Plugin::new("s", Sequential).priority(5),
            ]),
            Expected::completed(&[("s", Ran), ("t", Ran), ("u", Ran), ("c", Ran), ("f", Detached)]),
        ),
        rule(
            "P1",
            "a phase begins when the one before has ended",
            Case::of(&[
                Plugin::new("s", Sequential).takes_ms(1),
                Plugin::new("t", Transform).takes_ms(2),
                Plugin::new("u", Audit).takes_ms(4),
                Plugin::new("c", Concurrent).takes_ms(8),
                Plugin::new("d", Concurrent).takes_ms(8),
                Plugin::new("f", FireAndForget).takes_ms(16),
            ]),
            Expected::completed(&[
                ("s", Ran),
                ("t", Ran),
                ("u", Ran),
                ("c", Ran),
                ("d", Ran),
                ("f", Detached),
            ])
            .took_ms(15),
        ),
    ]
}

fn collected() -> Vec<Scenario> {
    let retries = |name, phase, ms| Plugin::new(name, phase).retries_in(ms);
    let excused = Answer { violation: Some("no"), ..Answer::ALLOW };
    let says = |name, phase, keys| Plugin::new(name, phase).writes_metadata(keys);
    vec![
        rule(
            "P7",
            "a violation with an allow is dropped",
            Case::of(&[Plugin::new("a", Sequential).answers(excused)]),
            Expected::completed(&[("a", Ran)]),
        )
        .unsaid(Tokio, "an allow carries no violation in Rust"),
        rule(
            "P8",
            "metadata of all that are awaited, in the order of their ends",
            Case::of(&[
                says("s", Sequential, &["s", "x"]),
                says("t", Transform, &["t", "x"]),
                says("u", Audit, &["u", "x"]),
                says("c", Concurrent, &["c", "x"]).takes_ms(9),
                says("d", Concurrent, &["d", "x"]),
                says("f", FireAndForget, &["f", "x"]),
            ]),
            Expected {
                metadata: vec![("c", "c"), ("d", "d"), ("s", "s"), ("t", "t"), ("u", "u"), ("x", "c")],
                ..Expected::completed(&[
                    ("s", Ran),
                    ("t", Ran),
                    ("u", Ran),
                    ("d", Ran),
                    ("c", Ran),
                    ("f", Detached),
                ])
            }
            .took_ms(9),
        ),
        rule(
            "P9",
            "the longest delay of the awaited",
            Case::of(&[
                retries("a", Sequential, 3),
                retries("b", Transform, 7),
                retries("c", Audit, 5),
                retries("d", Concurrent, -1),
                retries("e", FireAndForget, 99),
            ]),
            Expected::completed(&[("a", Ran), ("b", Ran), ("c", Ran), ("d", Ran), ("e", Detached)])
                .retry_ms(7),
        ),
        rule("P21a", "nobody is there", Case::of(&[]), Expected::completed(&[])),
    ]
}
