//! A new process in namespaces of its own.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;

use rustix::process::{Pid, getegid, geteuid};

/// What a new process has of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Namespaces(libc::c_int);

impl Namespaces {
    pub(super) const NONE: Self = Self(0);
    /// Users, which the others need when nobody privileged asks for them.
    pub(super) const USER: Self = Self(libc::CLONE_NEWUSER);
    pub(super) const PROCESS: Self = Self(libc::CLONE_NEWUSER | libc::CLONE_NEWPID);
    pub(super) const NETWORK: Self = Self(libc::CLONE_NEWUSER | libc::CLONE_NEWNET);
    pub(super) const MOUNT: Self = Self(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);

    pub(super) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

/// Which of the two processes this is.
pub(super) enum Side {
    Parent { child: Pid, pidfd: OwnedFd },
    Child,
}

/// Forks into new namespaces.
///
/// # Safety
///
/// The child has the memory of one thread of many, at any moment: it may only make async-signal-safe system calls, and must
/// end in `execve` or `_exit`.
pub(super) unsafe fn clone(namespaces: Namespaces) -> io::Result<Side> {
    let flags = namespaces.0 | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut pidfd: libc::c_int = -1;
    // SAFETY: without CLONE_VM and with no stack this is a fork; the kernel writes the descriptor to `pidfd`, which outlives
    // the call. Arguments one to three have the same meaning on every architecture, and the others are unused.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, &raw mut pidfd, 0, 0) };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => {
            let child =
                i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(io::Error::last_os_error)?;
            // SAFETY: CLONE_PIDFD made this descriptor, and nobody else knows it.
            Ok(Side::Parent { child, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
        }
    }
}

/// Says who a process in a new user namespace is outside: this user and this group, under the same numbers. Without, its
/// files would belong to nobody.
pub(super) fn map_user(child: Pid) -> io::Result<()> {
    let folder = Path::new("/proc").join(child.as_raw_nonzero().to_string());
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    std::fs::write(folder.join("setgroups"), "deny")?;
    std::fs::write(folder.join("uid_map"), format!("{user} {user} 1"))?;
    std::fs::write(folder.join("gid_map"), format!("{group} {group} 1"))
}
