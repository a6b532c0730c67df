//! Who is given a copy of the payload, and which part of a changed one is taken (I5-I8, I11, B10).

use cpex_core::payload::Discard::{DefaultDeny, Foreign as NoPayload, NothingWritable, Unchanged};
use cpex_core::payload::Isolation;
use cpex_core::payload::Rule::{self, Closed, Open, Writable};
use cpex_core::record::Fate::{self, Detached, Failed, Ran, Skipped};
use cpex_core::record::Skip::Ended;
use cpex_core::{OnError, Phase};

use super::Driver::{Asyncio, Tokio};
use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::Plugin;
use crate::plugin::Proposal::{self, Args, Foreign, Incomparable, Name, NameAndArgs, Other, Same, Subtype};

const RULES: [Rule; 3] = [Open, Writable, Closed];
const KEPT: &str = "name is not writable";
const ONE_TYPE: &str = "what a hook returns has one type in Rust";
/// Why no comparison fails in the Rust host.
pub(super) const COMPARABLE: &str = "any two payloads can be compared in Rust";
const NO_COPY: &str = "a payload is lent in Rust, never copied for a plugin";

pub(super) fn table() -> Vec<Scenario> {
    [open(), writable(), closed(), chained(), isolated(), uncopied()].concat()
}

/// One plugin that hands back such a payload.
fn one(policy: Rule, proposal: Proposal, expected: Expected) -> Scenario {
    let plugin = Plugin::new("a", Phase::Sequential).proposes(proposal).on_error(OnError::Ignore);
    let case = Case { rule: policy, ..Case::of(&[plugin]) };
    let scenario = rule("I7, I11", format!("{proposal:?} under {policy:?}"), case, expected);
    match proposal {
        Subtype | Foreign => scenario.unsaid(Tokio, ONE_TYPE),
        Incomparable => scenario.unsaid(Tokio, COMPARABLE),
        _ => scenario,
    }
}

fn taken(payload: &str) -> Expected {
    Expected::completed(&[("a", Ran)]).payload(payload, &["a"])
}

fn discarded(why: &str) -> Expected {
    Expected::completed(&[("a", Ran)]).remarks(&[("a", why)])
}

/// All is taken as it is.
fn open() -> Vec<Scenario> {
    vec![
        one(Open, Name, taken("ta")),
        one(Open, Same, taken("t")),
        one(Open, Subtype, taken("sub t/a")),
        one(Open, Other, taken("other t")),
        one(Open, Foreign, taken("foreign t")),
        one(Open, Incomparable, taken("incomparable t")),
    ]
}

/// Of the same type the writable fields are taken, of another type all.
fn writable() -> Vec<Scenario> {
    vec![
        one(Writable, Args, taken("t/a")),
        one(Writable, Name, discarded(NothingWritable.text()).remarks(&[("a", KEPT)])),
        one(Writable, NameAndArgs, taken("t/a").remarks(&[("a", KEPT)])),
        one(Writable, Subtype, taken("t/a")),
        one(Writable, Same, discarded(Unchanged.text())),
        one(Writable, Other, taken("other t")),
        one(Writable, Foreign, discarded(NoPayload.text())),
        one(Writable, Incomparable, Expected::completed(&[("a", Failed { disabled: false })])),
    ]
}

/// Nothing is taken.
fn closed() -> Vec<Scenario> {
    [Args, Same, Subtype, Other, Foreign, Incomparable]
        .map(|proposal| one(Closed, proposal, discarded(DefaultDeny.text())))
        .to_vec()
}

fn chained() -> Vec<Scenario> {
    let plugins = [
        Plugin::new("a", Phase::Sequential).proposes(Args),
        Plugin::new("b", Phase::Transform).proposes(NameAndArgs),
        Plugin::new("c", Phase::Transform).proposes(Name),
        Plugin::new("f", Phase::FireAndForget),
    ];
    let silent = [
        Plugin::new("a", Phase::Sequential).proposes(Name),
        Plugin::new("b", Phase::Sequential),
        Plugin::new("c", Phase::Sequential).proposes(Name),
    ];
    let closed = Case { rule: Closed, ..Case::of(&silent) };
    let refused = [("a", DefaultDeny.text()), ("c", DefaultDeny.text())];
    vec![
        rule(
            "I7, I8",
            "what is compared is what the chain has made of the payload",
            Case { rule: Writable, ..Case::of(&plugins) },
            Expected::completed(&[("a", Ran), ("b", Ran), ("c", Ran), ("f", Detached)])
                .given(&[("a", "t"), ("b", "t/a"), ("c", "t/ab"), ("f", "t")])
                .payload("t/ab", &["a", "b"])
                .remarks(&[("b", KEPT), ("c", NothingWritable.text()), ("c", KEPT)]),
        ),
        rule(
            "I7",
            "where nothing may be changed, nobody sees a change",
            closed,
            Expected::completed(&[("a", Ran), ("b", Ran), ("c", Ran)]).remarks(&refused),
        ),
        rule(
            "P3",
            "who changes nothing hands on what it was given",
            Case::of(&silent),
            Expected::completed(&[("a", Ran), ("b", Ran), ("c", Ran)])
                .given(&[("a", "t"), ("b", "ta"), ("c", "ta")])
                .payload("tac", &["a", "c"]),
        ),
        rule(
            "P4",
            "where a hook returns something else the next is given that",
            Case::of(&[
                Plugin::new("a", Phase::Sequential).proposes(Other),
                Plugin::new("b", Phase::Transform),
            ]),
            Expected::completed(&[("a", Ran), ("b", Ran)])
                .given(&[("a", "t"), ("b", "other t")])
                .payload("other t", &["a"]),
        )
        .but(
            Tokio,
            "a plugin takes one type in Rust: what another made is in its context",
            |expected| expected.given(&[("a", "t"), ("b", "t")]),
        ),
        rule(
            "I10",
            "handing on what another made is no change",
            Case::of(&[silent[0], Plugin::new("b", Phase::Sequential).proposes(Same)]),
            Expected::completed(&[("a", Ran), ("b", Ran)])
                .given(&[("a", "t"), ("b", "ta")])
                .payload("ta", &["a"]),
        )
        .but(Tokio, "what a plugin returns is a value of its own in Rust", |expected| {
            expected.payload("ta", &["a", "b"])
        }),
    ]
}

fn one_of_each_phase() -> [Plugin; 5] {
    let [s, t, u, c, f] = Phase::ALL;
    [("s", s), ("t", t), ("u", u), ("c", c), ("f", f)].map(|(name, phase)| Plugin::new(name, phase))
}

const ALL_RAN: [(&str, Fate); 5] = [("s", Ran), ("t", Ran), ("u", Ran), ("c", Ran), ("f", Detached)];

/// Who is given a copy: `isolated` says it.
fn isolated() -> Vec<Scenario> {
    let case = |policy| Case { rule: policy, ..Case::of(&one_of_each_phase()) };
    let always = Case { isolation: Isolation::Always, ..case(Open) };
    let container = Case { open_container: true, ..case(Open) };
    let by_rule = RULES.map(|policy| {
        let who = if policy == Open { "those that may not modify it" } else { "all" };
        (format!("under {policy:?} {who} are given a copy"), case(policy))
    });
    let asked = [
        ("if isolation is asked for all are given a copy".to_owned(), always),
        ("a payload that is a container is always copied".to_owned(), container),
    ];
    let scenario = |(says, case)| rule("I6, B10", says, case, Expected::completed(&ALL_RAN));
    by_rule.into_iter().chain(asked).map(scenario).collect()
}

/// A copy that cannot be made because of what no plugin may swallow.
fn uncopied() -> Vec<Scenario> {
    let case = Case { copies: Some(1), ..Case::of(&one_of_each_phase()) };
    let fates = [("s", Ran), ("t", Ran), ("u", Ran), ("c", Skipped(Ended)), ("f", Skipped(Ended))];
    let expected = Expected::ends("raised by c: interrupted while copying", &fates);
    vec![
        rule("P16", "an interruption while a copy is made ends it", case, expected)
            .unsaid(Tokio, NO_COPY)
            .but(
                Asyncio,
                "what no plugin may swallow passes as it is: it does not say whose copy it was",
                |expected| Expected { ending: "raised: interrupted while copying".to_owned(), ..expected },
            ),
    ]
}
