//! What a denial ends and what it leaves (P5, P6, P18).

use cpex_core::Phase::{Audit, Concurrent, FireAndForget, Sequential, Transform};
use cpex_core::payload::Discard;
use cpex_core::record::Fate::{self, Cancelled, Denied, Detached, Ran, Skipped, Suppressed};
use cpex_core::record::Skip::Ended;

use super::Driver::Tokio;
use super::modes::NO_PAYLOAD;
use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::plugin::{Does, Plugin, Proposal};

const NEVER: Fate = Skipped(Ended);

/// Why a Rust denial says why.
const NO_SILENCE: &str = "a denial has a violation in Rust";

pub(super) fn table() -> Vec<Scenario> {
    [halted(), late(), raised(), suppressed(), given_up()].concat()
}

fn later() -> [Plugin; 5] {
    [
        Plugin::new("e", Sequential),
        Plugin::new("t", Transform),
        Plugin::new("u", Audit),
        Plugin::new("c", Concurrent),
        Plugin::new("f", FireAndForget),
    ]
}

/// `a` and `d` change all there is to change, and `d` is about to deny.
fn chain(deny: fn(Plugin) -> Plugin) -> Case {
    let first = Plugin::new("a", Sequential).proposes(Proposal::Name).extends("e").retries_in(3);
    let blocker = Plugin::new("d", Sequential)
        .proposes(Proposal::Args)
        .extends("f")
        .retries_in(9)
        .writes_state(&["x"])
        .writes_metadata(&["last"]);
    Case::of(&[&[first, deny(blocker)], &later()[..]].concat())
}

fn halts(ending: &str, background: Fate) -> Expected {
    let given = [("a", "t"), ("d", "ta"), ("f", "t")];
    let started = if background == Detached { &given[..] } else { &given[..2] };
    let fates = [("a", Ran), ("d", Denied), ("e", NEVER), ("t", NEVER), ("u", NEVER), ("c", NEVER)];
    Expected::ends(ending, &[&fates[..], &[("f", background)]].concat())
        .given(started)
        .shown(&[("d", "custom: e")])
        .payload("ta", &["a"])
        .state("d")
        .metadata("d")
        .remarks(&[("d", Discard::Denied.text())])
}

fn halted() -> Vec<Scenario> {
    let denies = chain(|blocker| blocker.denies("why"));
    vec![
        rule(
            "P5",
            "what came before stays, what comes after does not run, the detached do",
            denies.clone(),
            halts("halted by d: why", Detached),
        )
        .but(Tokio, NO_PAYLOAD, Expected::without_payload),
        rule(
            "P5",
            "a denial needs no violation",
            chain(Plugin::denies_silently),
            halts("halted by d", Detached),
        )
        .unsaid(Tokio, NO_SILENCE),
        rule(
            "P18",
            "a denial that is raised starts nothing in the background",
            Case { raise_denials: true, ..denies },
            halts("halted by d: why", NEVER),
        )
        .but(Tokio, NO_PAYLOAD, Expected::without_payload),
    ]
}

/// A denial of the last phase that can deny.
fn late() -> Vec<Scenario> {
    let renames = Plugin::new("t", Transform).proposes(Proposal::Name).extends("e").retries_in(3);
    let plugins = [
        renames,
        Plugin::new("u", Audit),
        Plugin::new("c", Concurrent).denies("why"),
        Plugin::new("f", FireAndForget),
    ];
    let case = Case::of(&plugins);
    let expected = |background| {
        let given = [("t", "t"), ("u", "tt"), ("c", "tt"), ("f", "t")];
        let started = if background == Detached { &given[..] } else { &given[..3] };
        Expected::ends("halted by c: why", &[("t", Ran), ("u", Ran), ("c", Denied), ("f", background)])
            .given(started)
            .shown(&[("u", "custom: e"), ("c", "custom: e")])
            .payload("tt", &["t"])
    };
    vec![
        rule(
            "P5",
            "a concurrent denial leaves the payload of the chain, and neither extensions nor retry",
            case.clone(),
            expected(Detached),
        ),
        rule(
            "P18",
            "a concurrent denial that is raised starts nothing in the background",
            Case { raise_denials: true, ..case },
            expected(NEVER),
        ),
    ]
}

fn raised() -> Vec<Scenario> {
    let suppressed = |phase| {
        let case = Case::of(&[Plugin::new("t", phase).denies("why"), Plugin::new("f", FireAndForget)]);
        rule(
            "P18",
            format!("{phase:?}: a suppressed denial is not raised"),
            Case { raise_denials: true, ..case },
            Expected::completed(&[("t", Suppressed), ("f", Detached)]),
        )
    };
    let unsaid = Case { raise_denials: true, ..Case::of(&[Plugin::new("d", Sequential).denies_silently()]) };
    vec![
        suppressed(Transform),
        suppressed(Audit),
        rule(
            "P18",
            "a denial without a violation is raised all the same",
            unsaid,
            Expected::ends("halted by d", &[("d", Denied)]),
        )
        .unsaid(Tokio, NO_SILENCE),
    ]
}

fn suppressed() -> Vec<Scenario> {
    let renames = Plugin::new("t", Transform).proposes(Proposal::Name).extends("e").retries_in(3);
    let case = Case::of(&[renames.denies("why"), Plugin::new("u", Transform).proposes(Proposal::Name)]);
    let fates = [("t", Suppressed), ("u", Ran)];
    vec![
        rule(
            "P6",
            "the chain goes on after a suppressed denial, with its payload and without its extensions and retry",
            case,
            Expected::completed(&fates).given(&[("t", "t"), ("u", "tt")]).payload("ttu", &["t", "u"]),
        )
        .but(Tokio, NO_PAYLOAD, |expected| {
            expected.given(&[("t", "t"), ("u", "t")]).payload("tu", &["u"])
        }),
    ]
}

/// The caller gives up half-way.
fn given_up() -> Vec<Scenario> {
    let first = Plugin::new("a", Sequential).writes_state(&["x"]);
    let hangs = |name, phase| Plugin::new(name, phase).does(Does::Hang).within_ms(99);
    let case = |plugins: &[Plugin]| Case { aborts_at_ms: Some(5), ..Case::of(plugins) };
    let beside = [first, hangs("b", Concurrent), hangs("c", Concurrent), Plugin::new("f", FireAndForget)];
    vec![
        rule(
            "P16",
            "if the caller gives up what runs is stopped and nothing else starts",
            case(&[first, hangs("b", Sequential), Plugin::new("c", Audit), Plugin::new("f", FireAndForget)]),
            Expected::ends("raised: gave up", &[("a", Ran), ("c", NEVER), ("f", NEVER), ("b", Cancelled)])
                .state("a")
                .took_ms(5),
        ),
        rule(
            "P16",
            "if the caller gives up all that run beside each other are stopped",
            case(&beside),
            Expected::ends(
                "raised: gave up",
                &[("a", Ran), ("f", NEVER), ("b", Cancelled), ("c", Cancelled)],
            )
            .state("a")
            .took_ms(5),
        ),
    ]
}
