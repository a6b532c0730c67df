//! What a failure means, by mode and `on_error` (P1b, P14, P15), and what nothing can swallow (P16, P17).

use cpex_core::OnError::{self, Disable, Fail, Ignore};
use cpex_core::Phase::{self, Audit, Concurrent, FireAndForget, Sequential, Transform};
use cpex_core::Slot;
use cpex_core::payload::Rule;
use cpex_core::record::Fate::{
    self, Cancelled, Denied, Detached, Failed, Interrupted, Ran, Refused, Skipped, TimedOut,
};
use cpex_core::record::Skip;

use super::Driver::{Asyncio, Tokio};
use super::policies::COMPARABLE;
use super::{Expected, Scenario, rule};
use crate::case::Case;
use crate::extensions::{Edit, Writing};
use crate::plugin::{Answer, Does, Plugin, Proposal, Unreadable};

const ON_ERROR: [OnError; 3] = [Fail, Ignore, Disable];

/// Why nothing interrupts a plugin of the Rust host.
pub(super) const NO_INTERRUPT: &str = "there is nothing to raise in Rust that no plugin may swallow";

/// Why a Rust denial can always be read.
const NOTHING_ELSE: &str = "a denial has nothing that cannot be read in Rust";

/// Why a Rust plugin keeps what it wrote into the state, whatever it answers.
const TYPED: &str = "the state is read when the plugin writes it in Rust: there is no other";

/// The answer cannot be read: no allow, whatever it says.
const fn malformed(unreadable: Unreadable) -> Does {
    Does::Answer(Answer {
        extensions: Some(Writing::one(Edit::Put(Slot::Custom, "e"))),
        retry_ms: 5,
        unreadable: Some(unreadable),
        ..Answer::ALLOW
    })
}

pub(super) fn table() -> Vec<Scenario> {
    let awaited = [Sequential, Transform, Audit, Concurrent];
    let by_phase = awaited.into_iter().flat_map(|phase| [handled(phase), unstoppable(phase)].concat());
    by_phase.chain(limits()).chain(unserved()).chain(unreadable_state()).chain(half_read()).collect()
}

/// `a` ends so; `b` of the same phase takes a while.
fn pair(phase: Phase, on_error: OnError, does: Does) -> Case {
    let a = Plugin::new("a", phase).on_error(on_error).does(does).within_ms(5);
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
        Ignore | Disable => Expected::completed(&[("a", fate(on_error == Disable)), ("b", Ran)]).took_ms(10),
    };
    let failed = |disabled| Failed { disabled };
    let late = |on_error| {
        let expected = expect(on_error, "timeout", |disabled| TimedOut { disabled });
        let waited = if phase == Concurrent { 0 } else { 5 };
        let took_ms = if on_error == Fail { 5 } else { waited + 10 };
        expected.took_ms(took_ms)
    };
    let scenarios = |on_error| {
        let says = |what| format!("{phase:?} that {what}, on_error {on_error:?}");
        let case = |does| pair(phase, on_error, does);
        [
            rule("P15", says("takes too long"), case(Does::Hang), late(on_error)),
            rule("P15", says("raises"), case(Does::Fail), expect(on_error, "failed", failed)),
            rule(
                "P17",
                says("cannot be read"),
                case(malformed(Unreadable::Metadata)),
                expect(on_error, "unreadable", failed),
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
            )
            .unsaid(Tokio, NO_INTERRUPT),
        ]
    };
    ON_ERROR.into_iter().flat_map(scenarios).collect()
}

/// How long a plugin may take.
fn limits() -> Vec<Scenario> {
    let takes = |name, ms| Plugin::new(name, Sequential).takes_ms(ms).on_error(Ignore);
    let late = TimedOut { disabled: false };
    let stubborn = Plugin { resists: true, ..takes("a", 9).within_ms(5).proposes(Proposal::Name) };
    vec![
        rule(
            "P14, B17",
            "a plugin's own limit counts, and that of all for the others",
            Case {
                timeout_ms: Some(5),
                ..Case::of(&[takes("a", 9), takes("b", 9).within_ms(20), takes("c", 4), takes("d", 9).within_ms(2)])
            },
            Expected::completed(&[("a", late), ("b", Ran), ("c", Ran), ("d", late)]).took_ms(5 + 9 + 4 + 2),
        ),
        rule(
            "P14",
            "without any time nobody answers",
            Case { timeout_ms: Some(0), ..Case::of(&[takes("a", 0)]) },
            Expected::completed(&[("a", late)]),
        )
        .but(
            Asyncio,
            "without any time a coroutine is not even started, as under `asyncio.wait_for`",
            |expected| Expected { given: Vec::new(), ..expected },
        )
        .but(
            Tokio,
            "an answer that is there when it is first asked for is in time, as under `tokio::time::timeout`",
            |expected| Expected { fates: vec![("a", Ran.word())], ..expected },
        ),
        rule(
            "P14",
            "without a limit it takes as long as it takes",
            Case::of(&[takes("a", 100_000)]),
            Expected::completed(&[("a", Ran)]).took_ms(100_000),
        ),
        rule(
            "P14",
            "who is told to stop and answers all the same has taken too long",
            Case::of(&[stubborn]),
            Expected::completed(&[("a", late)]).took_ms(5),
        )
        .but(
            Asyncio,
            "a coroutine can swallow its cancellation, and then its answer counts, as under `asyncio.timeout`",
            |_| {
                Expected::completed(&[("a", Ran)])
                    .given(&[("a", "t")])
                    .payload("ta", &["a"])
                    .took_ms(5)
            },
        ),
    ]
}

/// Who does not run after a failure.
fn unserved() -> [Scenario; 3] {
    let never = Skipped(Skip::Ended);
    let later = [Plugin::new("u", Audit), Plugin::new("f", FireAndForget)];
    let case = |plugin| Case::of(&[&[plugin], &later[..]].concat());
    let ends =
        |ending, fate, background| Expected::ends(ending, &[("a", fate), ("u", never), ("f", background)]);
    let failed = Failed { disabled: false };
    let a = Plugin::new("a", Sequential);
    let passed_over = Expected::completed(&[("a", failed), ("u", Ran), ("f", Detached)]);
    [
        rule(
            "P15",
            "a failure that ends it starts nothing in the background",
            case(a.does(Does::Fail)),
            ends("raised by a: failed", failed, never),
        ),
        rule(
            "P16",
            "a violation that is raised starts nothing in the background",
            case(a.does(Does::Refuse)),
            ends("raised by a: refused", Refused, never),
        ),
        rule(
            "P15",
            "a failure that is passed over skips nobody",
            case(a.does(Does::Fail).on_error(Ignore)),
            passed_over,
        ),
    ]
}

fn unreadable_state() -> [Scenario; 2] {
    let plugin = |phase| Plugin::new("a", phase).does(malformed(Unreadable::State));
    [
        rule(
            "P17",
            "what it left in the shared state cannot be read",
            Case::of(&[plugin(Sequential)]),
            Expected::ends("raised by a: unreadable", &[("a", Failed { disabled: false })]),
        ),
        rule(
            "P17, P1",
            "nobody reads what an auditor left there",
            Case::of(&[plugin(Audit)]),
            Expected::completed(&[("a", Ran)])
                .retry_ms(5)
                .remarks(&[("a", "custom: this mode cannot modify extensions")]),
        ),
    ]
    .map(|scenario| scenario.unsaid(Tokio, TYPED))
}

/// An answer of which only a part can be read.
fn half_read() -> Vec<Scenario> {
    let answer = |allow, proposal| Answer {
        allow,
        violation: if allow { None } else { Some("no") },
        proposal,
        extensions: Some(Writing::one(Edit::Put(Slot::Custom, "e"))),
        retry_ms: 5,
        unreadable: if allow { None } else { Some(Unreadable::Metadata) },
    };
    let denying = |phase| Plugin::new("a", phase).answers(answer(false, Proposal::Nothing)).on_error(Ignore);
    let failed = Expected::completed(&[("a", Failed { disabled: false })]);
    let stands = Expected::ends("halted by a: no", &[("a", Denied)]);
    let incomparable =
        Plugin::new("a", Sequential).answers(answer(true, Proposal::Incomparable)).on_error(Ignore);
    let uncounted = "a denial that would not count fails if it cannot be read";
    let counted = "a denial that counts stands, whatever else cannot be read";
    let denials = [
        (Sequential, counted, stands.clone()),
        (Concurrent, counted, stands),
        (Transform, uncounted, failed.clone()),
        (Audit, uncounted, failed.clone()),
    ]
    .map(|(phase, says, expected)| {
        let case = Case::of(&[denying(phase)]);
        rule("P17", format!("{phase:?}: {says}"), case, expected).unsaid(Tokio, NOTHING_ELSE)
    });
    let taken = [rule(
        "P1b, P17",
        "nothing is taken of an answer whose payload cannot be compared",
        Case { rule: Rule::Writable, ..Case::of(&[incomparable]) },
        failed,
    )
    .unsaid(Tokio, COMPARABLE)];
    [&denials[..], &taken].concat()
}
