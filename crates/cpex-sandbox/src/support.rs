//! What this machine can do.

use serde::Serialize;

use crate::{Gap, Missing, Network, Policy, Profile};

/// What this system supports, as tried, not as its version says.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Support {
    /// The system, its version and architecture.
    pub system: String,
    /// Version of the Landlock ABI, which keeps files; 0: none. 3 keeps all of what a policy says of files, 4 also TCP ports,
    /// 6 also signals.
    pub landlock: u32,
    /// System calls can be filtered.
    pub seccomp: bool,
    /// Connections can be made by the host in a program's name (`SECCOMP_RET_USER_NOTIF`, `pidfd_getfd`).
    pub broker: bool,
    /// A program can be kept from seeing other processes, and everything it starts ends with it.
    pub process_namespace: bool,
    /// A program can have a network of its own, with nothing in it.
    pub network_namespace: bool,
    /// All but listed folders can be mounted read-only, and a folder in memory, of a limited size.
    pub mount_namespace: bool,
    /// Why a namespace cannot be had, if one cannot.
    pub namespaces_denied: Option<String>,
    /// What bounds the number of processes and threads; any of them does.
    pub counters: Vec<Counter>,
    /// Process ids cannot be limited to fewer processes and threads than this: it grows with the processors of the machine.
    pub fewest_tasks: u64,
}

/// What bounds the number of processes and threads of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Counter {
    /// `RLIMIT_NPROC` in a user namespace; it does not bind root.
    ResourceLimit,
    /// `pid_max` and `ns_last_pid` of a process namespace; it binds root, too.
    ProcessIds,
}

impl Support {
    /// Asks this system. The first call tries things out (milliseconds), later ones remember.
    pub fn probe() -> &'static Self {
        crate::system::support()
    }

    /// What a policy asks for and this system does not give.
    pub fn missing(&self, policy: &Policy) -> Vec<Missing> {
        if policy.profile == Profile::None {
            return Vec::new();
        }
        let namespaces = || self.namespaces_denied.clone().unwrap_or_else(|| "no namespaces".to_owned());
        if self.landlock == 0 && !self.seccomp && !self.process_namespace {
            return vec![Missing {
                gap: Gap::Everything,
                why: format!("{} has nothing to contain it with", self.system),
            }];
        }
        let brokered = matches!(policy.network, Network::Loopback | Network::Hosts(_));
        let gaps = [
            (
                Gap::Files,
                self.landlock < 3,
                format!("Landlock ABI {}, 3 is needed: Linux 6.2", self.landlock),
            ),
            (Gap::SystemCalls, !self.seccomp, "no seccomp, or none for this processor".to_owned()),
            (Gap::Processes, !self.process_namespace, namespaces()),
            (
                Gap::Signals,
                !self.process_namespace && self.landlock < 6,
                format!("Landlock ABI {}, 6 is needed: Linux 6.12", self.landlock),
            ),
            (Gap::Network, !self.network_namespace && policy.network != Network::All, namespaces()),
            (Gap::Attributes, !self.mount_namespace, namespaces()),
            (Gap::Scratch, policy.limits.scratch.is_some() && !self.mount_namespace, namespaces()),
            (
                Gap::Hosts,
                brokered && !self.broker,
                "no answers for seccomp (Linux 5.19), or descriptors cannot be taken here".to_owned(),
            ),
            (Gap::Names, policy.network.names().next().is_some() && !self.mount_namespace, namespaces()),
            (
                Gap::ProcessCount,
                policy.limits.tasks().is_some() && self.counters.is_empty(),
                "no user namespace; or a host that is root, and Linux before 6.14 or without `ns_last_pid`"
                    .to_owned(),
            ),
            (
                Gap::ProcessCount,
                // Those that make none make none.
                policy.limits.processes != Some(0)
                    && self.counters == [Counter::ProcessIds]
                    && policy.limits.tasks().is_some_and(|tasks| tasks < self.fewest_tasks),
                format!(
                    "for a host that is root, {} with threads are the fewest that can be counted with this many processors",
                    self.fewest_tasks
                ),
            ),
        ];
        gaps.into_iter().filter(|(_, open, _)| *open).map(|(gap, _, why)| Missing { gap, why }).collect()
    }
}
