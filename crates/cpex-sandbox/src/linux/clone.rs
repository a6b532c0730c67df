//! A new process in namespaces of its own.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;

use rustix::process::{Pid, getegid, geteuid};

use super::child::exit;

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

/// Where a child runs until it is the program.
pub(super) struct Stack(Box<[MaybeUninit<u128>]>);

impl Stack {
    /// Room for what a child does, many times over.
    pub(super) fn new() -> Self {
        const BYTES: usize = 256 << 10;
        Self(Box::new_uninit_slice(BYTES / size_of::<u128>()))
    }
}

/// Starts a process in new namespaces that runs `child` and exits, in this process's memory until it executes a program: a
/// copy of the memory of a large host would take long, and stop the host meanwhile.
///
/// # Safety
///
/// The stack, `child` and all that it refers to stay where and as they are until the process has executed a program or has
/// ended. `child` runs while any thread may hold any lock: it may only make async-signal-safe system calls and read.
pub(super) unsafe fn clone<F: Fn()>(
    namespaces: Namespaces,
    stack: &mut Stack,
    child: &F,
) -> io::Result<(Pid, OwnedFd)> {
    extern "C" fn enter<F: Fn()>(child: *mut libc::c_void) -> libc::c_int {
        // SAFETY: it is the `child` of the caller, who keeps it.
        unsafe { (*child.cast::<F>())() };
        // Not by returning: the C library would run what the host wants to run when it exits.
        exit(127)
    }
    let flags = namespaces.0 | libc::CLONE_VM | libc::CLONE_PIDFD | libc::SIGCHLD;
    let top = stack.0.as_mut_ptr_range().end.cast();
    let argument = std::ptr::from_ref(child).cast_mut().cast();
    let mut pidfd: libc::c_int = -1;
    // SAFETY: the stack is aligned, unused and large enough; the caller keeps it and what the argument refers to. The kernel
    // writes the descriptor to `pidfd` before the call is over. Signal handlers, descriptors and folders are not shared.
    let pid = unsafe { libc::clone(enter::<F>, top, flags, argument, &raw mut pidfd) };
    if pid == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: CLONE_PIDFD made this descriptor, and nobody else knows it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("the new process has no number"))?;
    Ok((pid, pidfd))
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
