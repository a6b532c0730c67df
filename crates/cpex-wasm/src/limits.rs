//! What an instance may use.

use std::num::NonZeroU64;

use wasmtime::{ResourceLimiter, Result, Store, Trap};

use crate::engine::PARTS;
use crate::error::Fault;
use crate::guest::State;

/// What a call may take, beside time: that is over when its future is dropped.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) fuel: Option<NonZeroU64>,
    pub(crate) memory: usize,
}

/// What a host takes of the texts that a plugin hands over at once, all in all: as much as of a server.
pub(crate) const REPLY: usize = 16 << 20;

/// What a table costs for each of its elements, at most.
const ELEMENT: usize = 16;

/// What an instance holds.
pub(crate) struct Meter {
    limits: Limits,
    held: usize,
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, held: 0 }
    }

    /// `most` is what the plugin itself says: to want more than that is its own mistake, which it is told.
    fn grow(&mut self, from: usize, to: usize, most: Option<usize>) -> Result<bool> {
        if most.is_some_and(|most| to > most) {
            return Ok(false);
        }
        let held = self.held.saturating_add(to.saturating_sub(from));
        if held > self.limits.memory {
            return Err(Fault::OutOfMemory(self.limits.memory).into());
        }
        self.held = held;
        Ok(true)
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        self.grow(current, desired, maximum)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> Result<bool> {
        let bytes = |elements: usize| elements.saturating_mul(ELEMENT);
        self.grow(bytes(current), bytes(desired), maximum.map(bytes))
    }

    fn instances(&self) -> usize {
        PARTS as usize
    }
}

/// Has the limits hold in a new store.
pub(crate) fn install(store: &mut Store<State>) {
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(REPLY);
    // Whoever still runs at a tick lets others run, and may be dropped.
    store.epoch_deadline_async_yield_and_update(1);
}

/// Lets an instance run.
pub(crate) fn begin(store: &mut Store<State>) -> Result<()> {
    store.set_epoch_deadline(1);
    store.data().meter.limits.fuel.map_or(Ok(()), |fuel| store.set_fuel(fuel.get()))
}

/// What has ended a call before its answer; `otherwise` if it was neither a trap nor a limit.
pub(crate) fn fault(error: &wasmtime::Error, limits: Limits, otherwise: fn(String) -> Fault) -> Fault {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.clone();
    }
    match (error.downcast_ref::<Trap>(), limits.fuel) {
        (Some(Trap::OutOfFuel), Some(fuel)) => Fault::OutOfFuel(fuel.get()),
        (Some(trap), _) => Fault::Trapped(trap.to_string().trim_start_matches("wasm trap: ").to_owned()),
        (None, _) => otherwise(format!("{error:#}")),
    }
}
