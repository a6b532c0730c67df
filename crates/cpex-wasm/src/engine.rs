//! The two engines of a process: what code may do in them.

use std::sync::OnceLock;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::error::ConfigError;

/// For a plugin's calls, and below what a fiber has, for the host is called on the same stack.
const STACK: usize = 512 << 10;
const FIBER: usize = 1 << 20;

/// Instances of all plugins at a time, and the elements of a table of one. Their places are reserved, not taken: a new
/// instance needs no call of the system but the one that empties the place of the last.
pub(crate) const INSTANCES: u32 = 1000;
const ELEMENTS: usize = 100_000;

/// Emptied by writing zeros, which is quicker than having the system do it.
const KEPT: usize = 16 << 10;

static ENGINES: [OnceLock<Result<Engine, String>>; 2] = [const { OnceLock::new() }; 2];

/// The engine of plugins that count their fuel, or of those that do not: counting costs time.
///
/// # Errors
/// This machine is none that wasmtime knows.
pub(crate) fn engine(counts_fuel: bool) -> Result<&'static Engine, ConfigError> {
    let made = ENGINES[usize::from(counts_fuel)].get_or_init(|| {
        Engine::new(&config(counts_fuel)).map_err(|error| format!("wasmtime does not run here: {error:#}"))
    });
    made.as_ref().map_err(|problem| ConfigError::new("", problem))
}

/// Those that there are.
pub(crate) fn engines() -> impl Iterator<Item = &'static Engine> {
    ENGINES.iter().filter_map(|engine| engine.get()?.as_ref().ok())
}

fn config(counts_fuel: bool) -> Config {
    let mut config = Config::new();
    config
        .async_support(true)
        .async_stack_size(FIBER)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(places()))
        .consume_fuel(counts_fuel)
        .epoch_interruption(true)
        .max_wasm_stack(STACK)
        .wasm_backtrace(false)
        .wasm_memory64(false);
    config
}

fn places() -> PoolingAllocationConfig {
    let mut places = PoolingAllocationConfig::new();
    places
        .total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(INSTANCES)
        .total_stacks(INSTANCES)
        .table_elements(ELEMENTS)
        .max_memory_size(1 << 32)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(KEPT)
        .async_stack_keep_resident(KEPT);
    places
}
