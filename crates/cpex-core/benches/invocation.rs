//! What it costs to step an invocation to its end when every plugin answers in place.

use std::hint::black_box;
use std::sync::Arc;

use cpex_core::extensions::{Breach, Change, Enforcement, Shown};
use cpex_core::host::{Event, Restriction};
use cpex_core::payload::{Isolation, Relation, Rule};
use cpex_core::{Action, Capabilities, Entry, Facts, Host, Invocation, LineUp, OnError, Outcome, Phase};
use cpex_core::{Reply, Settings, Slot, Slots, Values};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// Values that cost nothing, so that only the pipeline is measured.
struct Plain;

impl Values for Plain {
    type Plugin = u32;
    type Payload = u32;
    type Extensions = u32;
    type Violation = u32;
    type Error = u32;
}

impl Host<Self> for Plain {
    fn share(&self, payload: &u32) -> u32 {
        *payload
    }

    fn is_same(&self, a: &u32, b: &u32) -> bool {
        a == b
    }

    fn is_open_container(&self, _: &u32) -> bool {
        false
    }

    fn isolate(&mut self, _entry: usize, payload: &u32) -> Result<u32, u32> {
        Ok(*payload)
    }

    fn relation(&self, _: &u32, _: &u32) -> Relation {
        Relation::SameKind
    }

    fn restrict(&mut self, _: &u32, proposed: &u32) -> Result<Restriction<u32>, u32> {
        Ok(Restriction { payload: Some(*proposed), trimmed: Vec::new() })
    }

    fn merge_state(&mut self, _: usize) -> Result<(), u32> {
        Ok(())
    }

    fn merge_metadata(&mut self, _: usize) -> Result<(), u32> {
        Ok(())
    }

    fn show(&mut self, extensions: &u32, _: Slots) -> Result<u32, u32> {
        Ok(*extensions)
    }

    fn compare(&mut self, _: Slot, _: Shown<'_, u32>, _: &u32) -> Result<Change, u32> {
        Ok(Change::Unchanged)
    }

    fn merge(&mut self, _: Option<&u32>, written: &u32, _: Slots) -> Result<u32, u32> {
        Ok(*written)
    }

    fn breach(&mut self, _: usize, _: Breach) -> u32 {
        0
    }

    fn disable(&mut self, _: usize) {}

    fn observe(&mut self, _: usize, _: Event<'_, Self>) {}
}

const SETTINGS: Settings = Settings {
    rule: Rule::Open,
    isolation: Isolation::Observers,
    enforcement: Enforcement::Enforce,
    timeout: None,
    pool: None,
    raise_denials: false,
};

fn line_up(phase: Phase, len: u32) -> Arc<LineUp<u32>> {
    let entry = |plugin| Entry {
        plugin,
        phase,
        priority: 0,
        on_error: OnError::Fail,
        timeout: None,
        capabilities: Capabilities::NONE,
        shown: Slots::NONE,
        conditions: Box::default(),
    };
    Arc::new(LineUp::new((0..len).map(entry).collect()))
}

fn run(line_up: &Arc<LineUp<u32>>) -> Outcome<Plain> {
    let mut host = Plain;
    let line_up = Arc::clone(line_up);
    let mut invocation = Invocation::<Plain>::start(line_up, SETTINGS, 0, None, &Facts::NONE, |_| false, 0);
    loop {
        let entry = match invocation.poll(&mut host) {
            Action::Call(work) | Action::Spawn(work) => black_box(work.entry),
            Action::Done => return invocation.into_outcome(),
            Action::Detach(_) | Action::Cancel(_) | Action::Wait => continue,
        };
        let reply =
            Reply { allow: true, violation: None, payload: None, extensions: None, retry_delay_ms: 0 };
        let told = invocation.handle_reply(&mut host, entry, black_box(reply), 0);
        debug_assert!(told.is_ok());
    }
}

fn invocation(c: &mut Criterion) {
    let mut group = c.benchmark_group("invocation");
    for phase in Phase::ALL {
        for len in [1, 5, 50] {
            let line_up = line_up(phase, len);
            group.throughput(Throughput::Elements(len.into()));
            group.bench_function(BenchmarkId::new(format!("{phase:?}"), len), |b| b.iter(|| run(&line_up)));
        }
    }
}

criterion_group!(benches, invocation);
criterion_main!(benches);
