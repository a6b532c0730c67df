//! An invocation allocates a fixed number of times, however many plugins take part.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use cpex_core::{Action, Facts, Invocation, Phase};
use cpex_testkit::{Case, Payload, Plugin, Request, Sim};

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps to the contract of `dealloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

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

    let before = COUNT.get();
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
    COUNT.get() - before
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
