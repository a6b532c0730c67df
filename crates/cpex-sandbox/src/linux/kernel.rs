//! What this kernel gives, as tried.

use std::os::fd::AsFd;
use std::sync::OnceLock;

use rustix::process::{WaitId, WaitIdOptions, geteuid, waitid};
use rustix::system::uname;

use super::clone::{Namespaces, Stack, clone, map_user};
use super::handshake::{Blocked, Link};
use super::{broker, child, files, filter, limits};
use crate::Support;
use crate::support::Counter;

/// Asks once for all.
pub(crate) fn support() -> &'static Support {
    static SUPPORT: OnceLock<Support> = OnceLock::new();
    SUPPORT.get_or_init(probe)
}

fn probe() -> Support {
    let name = uname();
    let release = release(&name.release().to_string_lossy());
    let mut support = Support {
        system: [name.sysname(), name.release(), name.machine()].map(|part| part.to_string_lossy()).join(" "),
        landlock: files::abi(),
        seccomp: answers(libc::SECCOMP_RET_ERRNO) && filter::compiles(),
        broker: answers(libc::SECCOMP_RET_USER_NOTIF) && filter::compiles() && broker::possible(release),
        ..Support::default()
    };
    // A kernel before this one has one largest process id for the whole machine, and root would set it.
    let own_pid_max = release >= (6, 14);
    let wanted = [Namespaces::PROCESS, Namespaces::NETWORK, Namespaces::MOUNT];
    let all = wanted.into_iter().fold(Namespaces::NONE, Namespaces::and);
    let tried = match trial(all, own_pid_max) {
        Ok(tried) => tried,
        // Some may be had without the others.
        Err(_) => wanted.into_iter().fold(Tried::default(), |tried, one| match trial(one, own_pid_max) {
            Ok(more) => tried.and(more),
            Err(error) => Tried { denied: Some(format!("namespaces are refused: {error}")), ..tried },
        }),
    };
    support.process_namespace = tried.namespaces.has(Namespaces::PROCESS);
    support.network_namespace = tried.namespaces.has(Namespaces::NETWORK);
    support.mount_namespace = tried.namespaces.has(Namespaces::MOUNT) && tried.mounts;
    support.namespaces_denied = tried.denied;
    if let Some(tasks) = tried.fewest_tasks {
        support.counters.push(Counter::ProcessIds);
        support.fewest_tasks = tasks;
    }
    // Since then the kernel counts by user namespace. It never does for root.
    if tried.namespaces.has(Namespaces::USER) && release >= (5, 14) && !geteuid().is_root() {
        support.counters.push(Counter::ResourceLimit);
    }
    support
}

/// `6.8.0-45-generic` is `(6, 8)`.
fn release(text: &str) -> (u32, u32) {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Whether the kernel knows an answer of a seccomp filter.
fn answers(answer: libc::c_uint) -> bool {
    // SAFETY: the call reads one number from the address given.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const answer) == 0 }
}

/// What a process in these namespaces could do.
#[derive(Default)]
struct Tried {
    namespaces: Namespaces,
    mounts: bool,
    /// That process ids could be limited to.
    fewest_tasks: Option<u64>,
    denied: Option<String>,
}

impl Tried {
    fn and(self, more: Self) -> Self {
        Self {
            namespaces: self.namespaces.and(more.namespaces),
            mounts: self.mounts || more.mounts,
            fewest_tasks: self.fewest_tasks.or(more.fewest_tasks),
            denied: self.denied.or(more.denied),
        }
    }
}

/// Starts a process in these namespaces that does with its privileges what a program's would before it gives them up. Some
/// systems let everyone make namespaces, but give no privileges in them.
fn trial(namespaces: Namespaces, own_pid_max: bool) -> std::io::Result<Tried> {
    let link = Link::new()?;
    let ends = link.ends();
    let mounts = namespaces.has(Namespaces::MOUNT);
    let limited = own_pid_max && namespaces.has(Namespaces::PROCESS);
    let floors: Vec<_> = limits::floors().filter(|_| limited).collect();
    let limits: Vec<_> = floors.iter().map(|(_, pid_max)| pid_max.as_bytes()).collect();
    let child = || child::trial(ends, mounts, &limits);
    let mut stack = Stack::new();
    let blocked = Blocked::all()?;
    // SAFETY: `trial` makes system calls on values that it has, and exits; it is waited for below.
    let (process, pidfd) = unsafe { clone(namespaces, &mut stack, &child) }?;
    drop(blocked);
    let parent = link.parent();
    let mapped = map_user(process).and_then(|()| parent.go());
    // Without a word it exits.
    drop(parent);
    let ended = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)?;
    mapped?;
    let did = ended.and_then(|status| status.exit_status()).unwrap_or(0);
    let mounted = did & child::MOUNTED != 0;
    let limited = usize::try_from(did >> child::LIMITED).unwrap_or(0);
    let fewest_tasks = limited.checked_sub(1).and_then(|index| floors.get(index)).map(|&(tasks, _)| tasks);
    let refused = namespaces.has(Namespaces::MOUNT) && !mounted;
    let denied = refused.then(|| "user namespaces give no privileges here (AppArmor?)".to_owned());
    Ok(Tried { namespaces, mounts: mounted, fewest_tasks, denied })
}
