//! Plugins beside each other (P19, P20, P24, P25).

use core::num::NonZeroUsize;

use cpex_core::OnError::{Disable, Ignore};
use cpex_core::Phase::{Concurrent, FireAndForget};
use cpex_core::record::Fate::{Cancelled, Denied, Detached, Failed, Ran, Skipped};
use cpex_core::record::Skip::Ended;

use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::{Does, Plugin};

pub(super) fn table() -> Vec<Scenario> {
    [stopped(), pooled()].concat()
}

fn at(name: &'static str, ms: u64) -> Plugin {
    Plugin::new(name, Concurrent).takes_ms(ms).writes_metadata(&["last"])
}

fn stopped() -> Vec<Scenario> {
    let failing = |name, ms| at(name, ms).does(Does::Fail);
    vec![
        rule(
            "P24",
            "the first denial stops the slower, and the background is served",
            Case::of(&[at("a", 0), at("d", 10).denies("no"), at("s", 50), Plugin::new("f", FireAndForget)]),
            Expected::ends(
                "halted by d: no",
                &[("a", Ran), ("d", Denied), ("s", Cancelled), ("f", Detached)],
            )
            .metadata("d")
            .took_ms(10),
        ),
        rule(
            "P24",
            "of two denials at once the one with the lower priority wins",
            Case::of(&[at("d", 0).denies("2").priority(2), at("e", 0).denies("1").priority(1)]),
            Expected::ends("halted by e: 1", &[("e", Denied), ("d", Cancelled)]).metadata("d"),
        ),
        rule(
            "P24",
            "of two denials the earlier wins, whatever the priorities",
            Case::of(&[at("d", 9).denies("2").priority(1), at("e", 3).denies("1").priority(2)]),
            Expected::ends("halted by e: 1", &[("e", Denied), ("d", Cancelled)]).metadata("e").took_ms(3),
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
            Case::of(&[at("d", 0).denies("no"), failing("z", 0)]),
            Expected::ends("halted by d: no", &[("d", Denied), ("z", Cancelled)]).metadata("d"),
        ),
        rule(
            "P19, M20",
            "a failure at the moment of a denial takes out of service all the same",
            Case::of(&[at("d", 0).denies("no"), failing("z", 0).on_error(Disable)]),
            Expected::ends("halted by d: no", &[("d", Denied), ("z", Cancelled)]).metadata("d").disabled("z"),
        ),
        rule(
            "P19, B15",
            "a failure stops the siblings, a denial at the same moment included",
            Case::of(&[failing("a", 0), at("d", 0).denies("no"), at("s", 9)]),
            Expected::ends(
                "raised by a: failed",
                &[("a", Failed { disabled: false }), ("d", Cancelled), ("s", Cancelled)],
            )
            .metadata("d"),
        ),
        rule(
            "P15",
            "a failure that is passed over stops nobody",
            Case::of(&[failing("a", 3).on_error(Ignore), at("b", 9)]),
            Expected::completed(&[("a", Failed { disabled: false }), ("b", Ran)]).metadata("b").took_ms(9),
        ),
    ]
}

fn pooled() -> Vec<Scenario> {
    let sleeper = |name| at(name, 100).within_ms(150);
    let pool = |places, plugins: &[Plugin]| Case { pool: NonZeroUsize::new(places), ..Case::of(plugins) };
    vec![
        rule(
            "P19",
            "they run at the same time",
            Case::of(&[sleeper("a"), sleeper("b"), sleeper("c")]),
            Expected::completed(&[("a", Ran), ("b", Ran), ("c", Ran)]).metadata("c").took_ms(100),
        ),
        rule(
            "P25",
            "waiting for the pool does not count as time taken",
            pool(1, &[sleeper("a"), sleeper("b"), sleeper("c")]),
            Expected::completed(&[("a", Ran), ("b", Ran), ("c", Ran)]).metadata("c").took_ms(300),
        ),
        rule(
            "P20",
            "whoever ends makes room for the next",
            pool(2, &[at("a", 10), at("b", 30), at("c", 5), at("d", 20)]),
            Expected::completed(&[("a", Ran), ("c", Ran), ("b", Ran), ("d", Ran)]).metadata("d").took_ms(35),
        ),
        rule(
            "P19, P20",
            "who waits for the pool when it ends is never started",
            pool(1, &[at("a", 10).denies("no"), at("b", 10), Plugin::new("f", FireAndForget)]),
            Expected::ends("halted by a: no", &[("a", Denied), ("b", Skipped(Ended)), ("f", Detached)])
                .metadata("a")
                .took_ms(10),
        ),
    ]
}
