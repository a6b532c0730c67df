//! What an invocation asks of its driver, and what it makes of a driver that does not keep to it.

use cpex_core::record::Fate;
use cpex_core::{Misuse, Phase};
use cpex_testkit::journal::Todo;
use cpex_testkit::{Case, Does, Journal, Plugin, Proposal, fuzz, generate, world};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_misuse_changes_nothing(case in generate::cases(), ops in generate::ops()) {
        let heeded = fuzz::without_misuses(&case, &ops);
        prop_assert_eq!(fuzz::play(&case, &ops).digest(), fuzz::play(&case, &heeded).digest());
    }

    #[test]
    fn no_bytes_make_it_panic_or_break_a_law(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        fuzz::fuzz_one(&bytes);
    }
}

fn started(plugins: &[Plugin]) -> Journal {
    let mut journal = Journal::start(&Case::of(plugins));
    while matches!(journal.poll(), Todo::Start(..)) {}
    journal
}

#[test]
fn an_end_is_told_once() {
    let mut journal = started(&[Plugin::new("a", Phase::Sequential)]);
    assert_eq!(journal.end(0, 0), Ok(()));
    assert_eq!(journal.end(0, 0), Err(Misuse::NotRunning(0)));
    assert_eq!(journal.end(1, 0), Err(Misuse::NotRunning(1)));
}

#[test]
fn a_guard_that_was_stopped_for_no_reason_has_not_said_yes() {
    let mut journal = started(&[Plugin::new("a", Phase::Sequential).denies("no")]);
    assert_eq!(journal.cancelled(0, 0), Err(Misuse::NotCancelled(0)));
    assert_eq!(journal.end(0, 0), Ok(()));
    assert_eq!(journal.into_run().ending(), "halted by a: no");
}

#[test]
fn a_detached_plugin_ends_without_a_word() {
    let mut journal = Journal::start(&Case::of(&[Plugin::new("f", Phase::FireAndForget)]));
    assert_eq!(journal.poll(), Todo::Detach(0, None));
    assert_eq!(journal.poll(), Todo::Done);
    assert_eq!(journal.end(0, 0), Err(Misuse::NotRunning(0)));
}

#[test]
fn nothing_starts_beside_a_serial_plugin() {
    for phase in [Phase::Sequential, Phase::Transform, Phase::Audit] {
        let plugins = [Plugin::new("a", phase), Plugin::new("c", Phase::Concurrent)];
        let mut journal = Journal::start(&Case::of(&plugins));
        assert_eq!([journal.poll(), journal.poll()], [Todo::Start(0, None), Todo::Wait]);
    }
}

#[test]
fn giving_up_cancels_all_that_runs_and_starts_nothing() {
    let plugins = ["a", "b", "c"].map(|name| Plugin::new(name, Phase::Concurrent).does(Does::Hang));
    let mut journal = started(&[&plugins[..], &[Plugin::new("f", Phase::FireAndForget)]].concat());
    journal.abort();
    let asked = [journal.poll(), journal.poll(), journal.poll(), journal.poll()];
    assert_eq!(asked, [Todo::Cancel(0), Todo::Cancel(1), Todo::Cancel(2), Todo::Wait]);
    for entry in 0..3 {
        assert_eq!(journal.cancelled(entry, 7), Ok(()));
    }
    assert_eq!(journal.poll(), Todo::Done);
    let run = journal.into_run();
    assert_eq!(run.ending(), "raised: gave up");
    assert_eq!([0, 1, 2].map(|entry| run.fate(entry)), [Some(Fate::Cancelled); 3]);
}

#[test]
fn an_interrupted_copy_cancels_all_that_runs() {
    let plugins = ["a", "b"].map(|name| Plugin::new(name, Phase::Concurrent));
    let mut journal = Journal::start(&Case { copies: Some(1), ..Case::of(&plugins) });
    let asked = [journal.poll(), journal.poll(), journal.poll()];
    assert_eq!(asked, [Todo::Start(0, None), Todo::Cancel(0), Todo::Wait]);
}

#[test]
fn an_interruption_is_raised_even_after_a_denial() {
    let plugins = [Plugin::new("d", Phase::Sequential).denies("no"), Plugin::new("f", Phase::FireAndForget)];
    let run = world::run(&Case { copies: Some(0), ..Case::of(&plugins) });
    assert_eq!(run.ending(), "raised by f: interrupted while copying");
}

#[test]
fn handing_on_the_same_object_decides_nothing() {
    let proposes = |name, proposal| Plugin::new(name, Phase::Sequential).proposes(proposal);
    let plugins = [proposes("a", Proposal::Name), proposes("b", Proposal::Same)];
    let run = world::run(&Case::of(&plugins));
    assert_eq!(run.outcome.decided_by, Some(0));
    assert_eq!([0, 1].map(|entry| run.record(entry).map(|r| r.payload_modified)), [Some(true), Some(false)]);
}

#[test]
fn a_record_tells_how_long_a_plugin_took() {
    let mut journal = started(&[Plugin::new("a", Phase::Sequential), Plugin::new("b", Phase::Audit)]);
    assert_eq!(journal.end(0, 3), Ok(()));
    journal.poll();
    assert_eq!(journal.end(1, 10), Ok(()));
    let durations = journal.into_run().outcome.records.iter().map(|r| r.duration_ns).collect::<Vec<_>>();
    assert_eq!(durations, [3_000_000, 7_000_000]);
}
