//! Plugins in the background, for which nobody waits (P3, P20, P21).

use cpex_core::OnError::{self, Disable, Fail, Ignore};
use cpex_core::Phase::{FireAndForget, Sequential};
use cpex_core::record::Fate::{Detached, Ran};

use super::Driver::Tokio;
use super::failures::NO_INTERRUPT;
use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::{Does, Plugin, Proposal};

pub(super) fn table() -> Vec<Scenario> {
    [failing(), others()].concat()
}

fn failing() -> Vec<Scenario> {
    let ends = [("fails", Does::Fail), ("raises a violation", Does::Refuse), ("takes too long", Does::Hang)];
    let scenario = |what: &str, does, on_error: OnError| {
        let plugin = Plugin::new("a", FireAndForget).does(does).within_ms(5).on_error(on_error);
        let expected = Expected::completed(&[("a", Detached)]);
        let expected = if on_error == Disable { expected.disabled("a") } else { expected };
        rule("P21", format!("one that {what}, on_error {on_error:?}"), Case::of(&[plugin]), expected)
    };
    let by_end =
        |(what, does): (&str, _)| [Fail, Ignore, Disable].map(|on_error| scenario(what, does, on_error));
    let interrupted = Plugin::new("a", FireAndForget).does(Does::Interrupt).on_error(Disable);
    let says = "one that is interrupted stays in service";
    let stays = rule("P21", says, Case::of(&[interrupted]), Expected::completed(&[("a", Detached)]));
    ends.into_iter().flat_map(by_end).chain([stays.unsaid(Tokio, NO_INTERRUPT)]).collect()
}

fn others() -> Vec<Scenario> {
    let renames = Plugin::new("a", Sequential).proposes(Proposal::Name);
    vec![
        rule(
            "P3",
            "what the chain makes of the payload is not theirs to see",
            Case::of(&[renames, Plugin::new("f", FireAndForget)]),
            Expected::completed(&[("a", Ran), ("f", Detached)])
                .given(&[("a", "t"), ("f", "t")])
                .payload("ta", &["a"]),
        ),
        rule(
            "P21",
            "nobody waits for them",
            Case::of(&[Plugin::new("f", FireAndForget).takes_ms(50), Plugin::new("g", FireAndForget)]),
            Expected::completed(&[("f", Detached), ("g", Detached)]),
        ),
        rule(
            "P20",
            "all have their turn in a small pool, and waiting for it does not count as time taken",
            Case {
                pool: core::num::NonZeroUsize::new(1),
                ..Case::of(&[
                    Plugin::new("f", FireAndForget).takes_ms(9),
                    Plugin::new("g", FireAndForget).takes_ms(9).within_ms(10).on_error(Disable),
                    Plugin::new("h", FireAndForget).does(Does::Fail).on_error(Disable),
                ])
            },
            Expected::completed(&[("f", Detached), ("g", Detached), ("h", Detached)]).disabled("h"),
        ),
    ]
}
