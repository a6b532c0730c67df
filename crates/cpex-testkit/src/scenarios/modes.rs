//! The table of modes (P1), the chain (P3, P23), what is collected (P7, P9, P21a) and who is selected (P2).

use cpex_core::Phase::{self, Audit, Concurrent, FireAndForget, Sequential, Transform};
use cpex_core::condition::Unmet;
use cpex_core::record::Fate::{Denied, Detached, Ran, Skipped, Suppressed};
use cpex_core::record::Skip;

use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::{Answer, Plugin, Proposal};

pub(super) fn table() -> Vec<Scenario> {
    [allowing().to_vec(), denying().to_vec(), collected()].concat()
}

/// Changes all there is to change.
fn busy(name: &'static str, phase: Phase) -> Plugin {
    Plugin::new(name, phase)
        .proposes(Proposal::Name)
        .extends("e")
        .retries_in(5)
        .writes_state(&["x"])
        .writes_metadata(&["last"])
}

fn allowing() -> [Scenario; 5] {
    let completed = || Expected::completed(&[("a", Ran)]).metadata("a");
    [
        (Sequential, completed().payload("ta", "").state("a").extensions(Some("custom: e"), 5)),
        (Transform, completed().payload("ta", "").state("a").extensions(Some("custom: e"), 5)),
        (Audit, completed().extensions(None, 5)),
        (Concurrent, completed().state("a").extensions(None, 5)),
        (FireAndForget, Expected::completed(&[("a", Detached)])),
    ]
    .map(|(phase, expected)| {
        rule("P1", format!("{phase:?} that allows"), Case::of(&[busy("a", phase)]), expected)
    })
}

fn denying() -> [Scenario; 5] {
    let halted = || Expected::ends("halted by a: no", &[("a", Denied)]);
    let suppressed = || Expected::completed(&[("a", Suppressed)]);
    [
        (Sequential, halted().metadata("a").state("a")),
        (Transform, suppressed().payload("ta", "").metadata("a").state("a")),
        (Audit, suppressed().metadata("a")),
        (Concurrent, halted().metadata("a").state("a")),
        (FireAndForget, Expected::completed(&[("a", Detached)])),
    ]
    .map(|(phase, expected)| {
        let case = Case::of(&[busy("a", phase).denies("no")]);
        rule("P1, P6", format!("{phase:?} that denies"), case, expected)
    })
}

fn collected() -> Vec<Scenario> {
    let appends = |name, phase| Plugin::new(name, phase).proposes(Proposal::Name).writes_metadata(&["last"]);
    let retries = |name, phase, ms| Plugin::new(name, phase).retries_in(ms);
    let excused = Answer { violation: Some("no"), ..Answer::ALLOW };
    vec![
        rule(
            "P23",
            "phases in order, priorities within, the payload handed on",
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
            .payload("tyzat", "")
            .metadata("c"),
        ),
        rule(
            "P7",
            "a violation with an allow is dropped",
            Case::of(&[Plugin::new("a", Sequential).answers(excused)]),
            Expected::completed(&[("a", Ran)]),
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
                .extensions(None, 7),
        ),
        rule("P21a", "nobody is there", Case::of(&[]), Expected::completed(&[])),
        rule(
            "P2",
            "neither the disabled nor those without a matching condition",
            Case {
                tenant: Some("north"),
                ..Case::of(&[
                    Plugin { disabled: true, ..busy("a", Sequential) },
                    Plugin { tenant: Some("south"), ..busy("b", Sequential) },
                    Plugin { tenant: Some("north"), ..Plugin::new("c", Sequential) },
                ])
            },
            Expected::completed(&[
                ("a", Skipped(Skip::Disabled)),
                ("b", Skipped(Skip::Condition(Unmet::Tenant))),
                ("c", Ran),
            ]),
        ),
    ]
}
