//! What a denial ends and what it leaves (P5, P6, P18).

use cpex_core::Phase::{Audit, Concurrent, FireAndForget, Sequential, Transform};
use cpex_core::record::Fate::{self, Denied, Detached, Ran, Skipped, Suppressed};
use cpex_core::record::Skip::Ended;

use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::{Plugin, Proposal};

const NEVER: Fate = Skipped(Ended);

pub(super) fn table() -> Vec<Scenario> {
    let first = Plugin::new("a", Sequential).proposes(Proposal::Name).extends("e").retries_in(3);
    let blocker = Plugin::new("d", Sequential)
        .proposes(Proposal::Args)
        .extends("f")
        .retries_in(9)
        .writes_state(&["x"])
        .writes_metadata(&["last"]);
    let later = [
        Plugin::new("e", Sequential),
        Plugin::new("t", Transform),
        Plugin::new("u", Audit),
        Plugin::new("c", Concurrent),
        Plugin::new("f", FireAndForget),
    ];
    let chain = |blocker| Case::of(&[&[first, blocker], &later[..]].concat());
    let started = [("a", Ran), ("d", Denied)];
    let never = [("e", NEVER), ("t", NEVER), ("u", NEVER), ("c", NEVER)];
    let halted = |ending: &str, background: Fate| {
        Expected::ends(ending, &[&started[..], &never[..], &[("f", background)]].concat())
            .payload("ta", "")
            .state("d")
            .metadata("d")
    };
    vec![
        rule(
            "P5",
            "what came before stays, what comes after does not run, the detached do",
            chain(blocker.denies("why")),
            halted("halted by d: why", Detached),
        ),
        rule(
            "P5",
            "a denial needs no violation",
            chain(blocker.denies_silently()),
            halted("halted by d", Detached),
        ),
        rule(
            "P18",
            "a denial that is raised starts nothing in the background",
            Case { raise_denials: true, ..chain(blocker.denies("why")) },
            halted("halted by d: why", NEVER),
        ),
        rule(
            "P18",
            "a suppressed denial is not raised",
            Case { raise_denials: true, ..Case::of(&[Plugin::new("t", Transform).denies("why"), later[4]]) },
            Expected::completed(&[("t", Suppressed), ("f", Detached)]),
        ),
        rule(
            "P6",
            "the chain goes on after a suppressed denial, with its payload and without its extensions and retry",
            Case::of(&[
                Plugin::new("t", Transform).proposes(Proposal::Name).extends("e").retries_in(3).denies("why"),
                Plugin::new("u", Transform).proposes(Proposal::Name),
            ]),
            Expected::completed(&[("t", Suppressed), ("u", Ran)]).payload("ttu", ""),
        ),
    ]
}
