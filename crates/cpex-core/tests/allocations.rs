//! An invocation allocates a fixed number of times, however many plugins take part.

use cpex_core::{Action, Facts, Invocation, Phase};
use cpex_testkit::{Case, Counting, Payload, Plugin, Request, Sim};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Steps an invocation of that many plugins to its end and counts the allocations.
fn allocations(phase: Phase, len: usize) -> usize {
    let case = Case::of(&vec![Plugin::new("a", phase); len]);
    let line_up = case.line_up();
    let mut host = Request::new(&case, line_up.clone());
    let (settings, facts, payload) = (case.settings(), Facts::NONE, Payload::original());
    host.merged_state.reserve(len);
    host.merged_metadata.reserve(len);

    let before = Counting::allocations();
    let mut invocation = Invocation::<Sim>::start(line_up, settings, payload, None, &facts, |_| false, 0);
    loop {
        match invocation.poll(&mut host) {
            Action::Call(work) | Action::Spawn(work) => {
                let reply = Plugin::new("a", phase).reply(&work.payload, None);
                assert_eq!(invocation.handle_reply(&mut host, work.entry, reply, 0), Ok(()));
            }
            Action::Detach(_) | Action::Cancel(_) | Action::Wait => {}
            Action::Done => break,
        }
    }
    let outcome = invocation.into_outcome();
    assert_eq!(outcome.records.len(), len);
    Counting::allocations() - before
}

#[test]
fn no_plugin_costs_an_allocation() {
    for phase in [Phase::Sequential, Phase::Transform] {
        assert_eq!(allocations(phase, 0), 0, "{phase:?}");
        for len in [1, 5, 50, 500] {
            assert_eq!(allocations(phase, len), 2, "{phase:?}: the states and the records");
        }
    }
}

#[test]
fn an_observer_costs_the_copy_it_is_shown() {
    for phase in [Phase::Audit, Phase::Concurrent, Phase::FireAndForget] {
        let copy = allocations(phase, 1) - 2;
        assert_eq!(allocations(phase, 50), 2 + 50 * copy, "{phase:?}");
    }
}
