//! The two engines of a process: what code may do in them.

use std::sync::OnceLock;

use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::error::ConfigError;

/// For a plugin's calls, and below what a fiber has, for the host is called on the same stack.
const STACK: usize = 512 << 10;
const FIBER: usize = 1 << 20;

/// Instances of all plugins at a time. Their places are reserved, not taken: a new instance needs no call of the system but
/// the one that empties the place of the last.
pub(crate) const INSTANCES: u32 = 1000;

/// What a plugin may be made of: modules, as many as tools make of one that brings an interpreter and libraries, with one
/// memory for all. Each instance has a place for all of it, so that no plugin takes those of others.
pub(crate) const PARTS: u32 = 32;
const MEMORIES: u32 = 1;
const TABLES: u32 = 4;
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
        .total_core_instances(INSTANCES * PARTS)
        .max_core_instances_per_component(PARTS)
        .total_memories(INSTANCES * MEMORIES)
        .max_memories_per_component(MEMORIES)
        .total_tables(INSTANCES * TABLES)
        .max_tables_per_component(TABLES)
        .total_stacks(INSTANCES)
        .table_elements(ELEMENTS)
        .max_memory_size(1 << 32)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(KEPT);
    places
}
