//! How much of the machine a child may take: resource limits.

use rustix::process::{Resource, Rlimit, getrlimit};

use crate::support::Counter;
use crate::{Limits, Support};

/// Threads that a child may have beside its processes: the kernel counts both together.
pub(super) const THREADS: u64 = 128;

/// Address space beyond the limit of memory. Runtimes reserve much and use little of it; but without any limit the tables of
/// its pages would fill the memory.
const ADDRESS_SPACE: u64 = 64 << 30;

/// The stack of a thread, unless the program says otherwise. All of it counts as memory from the start: with the usual 8 MiB,
/// 64 threads would take 512 MiB.
const STACK: u64 = 2 << 20;

/// Processes and threads at one time.
pub(super) fn tasks(limits: &Limits) -> Option<u64> {
    limits.processes.map(|processes| processes.saturating_add(THREADS))
}

/// What a child sets for itself, never above what this process has.
pub(super) fn resources(limits: &Limits, support: &Support) -> Vec<(Resource, Rlimit)> {
    let wanted = [
        (Resource::Core, Some(0)),
        (Resource::Data, limits.memory),
        (Resource::As, limits.memory.map(|memory| memory.saturating_add(ADDRESS_SPACE))),
        (Resource::Stack, limits.memory.map(|_| STACK)),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, limits.file_size),
        (Resource::Nofile, limits.open_files),
        // Elsewhere it counts all processes of the user, on the whole machine.
        (Resource::Nproc, tasks(limits).filter(|_| support.counters.contains(&Counter::ResourceLimit))),
    ];
    wanted
        .into_iter()
        .filter_map(|(resource, limit)| {
            let limit = limit?;
            let hard = getrlimit(resource).maximum.map_or(limit, |hard| hard.min(limit));
            Some((resource, Rlimit { current: Some(hard), maximum: Some(hard) }))
        })
        .collect()
}

/// What a child writes into `pid_max` of its process namespace. Numbers below 300 are only given out once.
pub(super) fn process_ids(limits: &Limits, support: &Support) -> Option<String> {
    const RESERVED: u64 = 300;
    const MOST: u64 = 1 << 22;
    let tasks = tasks(limits).filter(|_| support.counters.contains(&Counter::ProcessIds))?;
    Some(tasks.saturating_add(RESERVED + 1).min(MOST).to_string())
}
