//! How much of the machine a child may take: resource limits.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit};

use crate::support::Counter;
use crate::{Limits, Support};

/// Address space beyond the limit of memory. Runtimes reserve much and use little of it; but without any limit the tables of
/// its pages would fill the memory.
const ADDRESS_SPACE: u64 = 64 << 30;

/// The stack of a thread, unless the program says otherwise. All of it counts as memory from the start: with the usual 8 MiB,
/// 64 threads would take 512 MiB.
const STACK: u64 = 2 << 20;

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
        // Elsewhere it counts all processes of the user, on the whole machine. The first one counts, too.
        (
            Resource::Nproc,
            limits
                .tasks()
                .filter(|_| support.counters.contains(&Counter::ResourceLimit))
                .map(|tasks| tasks.saturating_add(1)),
        ),
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

/// After which the kernel kills a child with these limits.
pub(super) fn cpu_time(limits: &[(Resource, Rlimit)]) -> Option<Duration> {
    let (_, limit) = limits.iter().find(|(resource, _)| *resource == Resource::Cpu)?;
    limit.maximum.map(Duration::from_secs)
}

/// Numbers of processes that are given out once, and again only where the counting never went beyond them.
const RESERVED: u64 = 300;

/// The last of them, as a child writes it into `ns_last_pid`: without it they would come on top of what is asked for.
pub(super) const LAST_RESERVED: &[u8] = b"300";

/// What a child writes into `pid_max` of its process namespace.
pub(super) fn process_ids(limits: &Limits, support: &Support) -> Option<String> {
    let tasks = limits.tasks().filter(|_| support.counters.contains(&Counter::ProcessIds))?;
    Some(pid_max(tasks.max(support.fewest_tasks)))
}

/// Smallest limits on machines with more and more processors, as processes and threads and as `pid_max`: of that the kernel
/// wants eight for each processor.
pub(super) fn floors() -> impl Iterator<Item = (u64, String)> {
    (0..15).map(|doubled| 1 << doubled).map(|tasks| (tasks, pid_max(tasks)))
}

/// For so many processes and threads beside the first, which has the number 1.
fn pid_max(tasks: u64) -> String {
    const MOST: u64 = 1 << 22;
    tasks.saturating_add(RESERVED).min(MOST).to_string()
}
