//! Plugins beside each other (P19, P20, P24, P25).

use core::num::NonZeroUsize;

use cpex_core::Phase::{Concurrent, FireAndForget};
use cpex_core::record::Fate::{Cancelled, Denied, Detached, Failed, Ran};

use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::{Does, Plugin};

pub(super) fn table() -> Vec<Scenario> {
    let at = |name, ms| Plugin::new(name, Concurrent).takes_ms(ms).writes_metadata(&["last"]);
    let sleeper = |name| Plugin { timeout_ms: Some(150), ..at(name, 100) };
    vec![
        rule(
            "P24",
            "the first denial stops the slower, and the background is served",
            Case::of(&[at("a", 0), at("d", 10).denies("no"), at("s", 50), Plugin::new("f", FireAndForget)]),
            Expected::ends(
                "halted by d: no",
                &[("a", Ran), ("d", Denied), ("s", Cancelled), ("f", Detached)],
            )
            .metadata("d"),
        ),
        rule(
            "P24",
            "of two denials at once the one with the lower priority wins",
            Case::of(&[at("d", 0).denies("2").priority(2), at("e", 0).denies("1").priority(1)]),
            Expected::ends("halted by e: 1", &[("e", Denied), ("d", Cancelled)]).metadata("d"),
        ),
        rule(
            "P19",
            "what a sibling wrote that ended at the same moment stays",
            Case::of(&[at("a", 0), at("d", 0).denies("no"), at("z", 0)]),
            Expected::ends("halted by d: no", &[("a", Ran), ("d", Denied), ("z", Cancelled)]).metadata("z"),
        ),
        rule(
            "P19",
            "what a stopped sibling answers all the same does not count",
            Case::of(&[at("d", 0).denies("no"), Plugin { resists: true, ..at("z", 5) }]),
            Expected::ends("halted by d: no", &[("d", Denied), ("z", Cancelled)]).metadata("d"),
        ),
        rule(
            "P19",
            "a denial stands, whatever a sibling raises at the same moment",
            Case::of(&[at("d", 0).denies("no"), at("z", 0).does(Does::Fail)]),
            Expected::ends("halted by d: no", &[("d", Denied), ("z", Cancelled)]).metadata("d"),
        ),
        rule(
            "P19, B15",
            "a failure stops the siblings, a denial at the same moment included",
            Case::of(&[at("a", 0).does(Does::Fail), at("d", 0).denies("no"), at("s", 9)]),
            Expected::ends(
                "raised by a: failed",
                &[("a", Failed { disabled: false }), ("d", Cancelled), ("s", Cancelled)],
            )
            .metadata("d"),
        ),
        rule(
            "P25",
            "waiting for the pool does not count as time taken",
            Case { pool: NonZeroUsize::new(1), ..Case::of(&[sleeper("a"), sleeper("b"), sleeper("c")]) },
            Expected::completed(&[("a", Ran), ("b", Ran), ("c", Ran)]).metadata("c"),
        ),
    ]
}
