//! What a child does between being made and being the program.
//!
//! Until then it is in the memory of its parent, beside all the parent's threads, and does not know which locks they hold. So
//! everything here is a system call on what was prepared before; nothing is written, nothing allocates, nothing panics.

use std::convert::Infallible;
use std::ffi::{CStr, CString, c_char};
use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal, chdir, set_parent_process_death_signal, setrlimit, setsid};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
};

use super::filter::Filters;
use super::handshake::{ChildEnd, Ends};
use super::limits::LAST_RESERVED;
use super::mounts::{self, Mounts};

/// Everything that a child needs, made by its parent.
pub(super) struct Plan<'a> {
    /// Where the standard streams go; no number below three.
    pub(super) streams: [RawFd; 3],
    pub(super) mounts: Option<&'a Mounts>,
    pub(super) folder: &'a CStr,
    /// What to write into `pid_max` of its process namespace.
    pub(super) pid_max: Option<&'a [u8]>,
    pub(super) limits: &'a [(Resource, Rlimit)],
    /// Whether it may keep privileges, as the host has them.
    pub(super) privileged: bool,
    pub(super) rules: Option<BorrowedFd<'a>>,
    pub(super) filters: Option<&'a Filters>,
    pub(super) program: &'a CStr,
    pub(super) args: &'a Pointers,
    pub(super) env: &'a Pointers,
}

/// Texts as `execve` takes them.
pub(super) struct Pointers {
    /// Keeps alive what is pointed at.
    _texts: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Pointers {
    pub(super) fn new(texts: Vec<CString>) -> Self {
        let pointers = texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Self { _texts: texts, pointers }
    }
}

macro_rules! steps {
    ($($step:ident $does:literal,)+) => {
        /// A step of a child, to say which one failed.
        #[derive(Clone, Copy, Debug)]
        #[repr(u8)]
        pub(super) enum Step { $($step,)+ }

        impl Step {
            pub(super) fn of(number: u8) -> Self {
                [$(Self::$step,)+].get(usize::from(number)).copied().unwrap_or(Self::Start)
            }

            pub(super) fn does(self) -> &'static str {
                match self { $(Self::$step => $does,)+ }
            }
        }
    };
}

steps! {
    Start "starting",
    Life "binding its life to the host's",
    Streams "connecting its streams",
    Mounts "mounting read-only what it may not write to",
    Folder "entering its folder",
    Limits "limiting its resources",
    Privileges "giving up privileges",
    Files "closing the file system (Landlock)",
    Calls "filtering system calls (seccomp)",
    Execute "executing it",
}

impl Plan<'_> {
    /// Carries it out; comes back only by ending the process.
    pub(super) fn run(&self, ends: Ends) -> ! {
        let parent = ends.child();
        let Err((step, errno)) = self.carry_out(parent);
        parent.fail(step, errno);
        exit(127)
    }

    fn carry_out(&self, parent: ChildEnd) -> Result<Infallible, (Step, Errno)> {
        let at = |step: Step| move |errno: Errno| (step, errno);
        // Before the parent's word: if it ended before this, its word never comes.
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(Step::Life))?;
        parent.wait().map_err(at(Step::Life))?;
        setsid().map_err(at(Step::Life))?;
        reset_signals().map_err(at(Step::Life))?;
        self.connect_streams().map_err(at(Step::Streams))?;
        // The file is read-only after the mounts.
        if let Some(pid_max) = self.pid_max {
            limit_process_ids(pid_max).map_err(at(Step::Limits))?;
        }
        if let Some(mounts) = self.mounts {
            mounts.apply().map_err(at(Step::Mounts))?;
        }
        chdir(self.folder).map_err(at(Step::Folder))?;
        for (resource, limit) in self.limits {
            setrlimit(*resource, *limit).map_err(at(Step::Limits))?;
        }
        close_on_exec().map_err(at(Step::Streams))?;
        if !self.privileged {
            give_up_privileges().map_err(at(Step::Privileges))?;
        }
        if let Some(rules) = self.rules {
            restrict(rules).map_err(at(Step::Files))?;
        }
        if let Some(filters) = self.filters {
            filters.install(parent).map_err(at(Step::Calls))?;
        }
        // SAFETY: the texts end in NUL and the lists in a null pointer (`Pointers::new`); the parent keeps them.
        unsafe {
            libc::execve(self.program.as_ptr(), self.args.pointers.as_ptr(), self.env.pointers.as_ptr());
        }
        Err((Step::Execute, last()))
    }

    fn connect_streams(&self) -> Result<(), Errno> {
        for (stream, from) in (0..).zip(self.streams) {
            // SAFETY: numbers only: nobody in this process holds the streams as objects that could be confused.
            if unsafe { libc::dup2(from, stream) } < 0 {
                return Err(last());
            }
        }
        Ok(())
    }
}

/// A trial mounted.
pub(super) const MOUNTED: i32 = 1;
/// Above this bit of a trial: the first limit of process ids that it could set, counted from 1.
pub(super) const LIMITED: u32 = 1;

/// Tries what needs privileges in new namespaces; the exit status tells.
pub(super) fn trial(ends: Ends, mounts: bool, limits: &[&[u8]]) -> ! {
    if ends.child().wait().is_err() {
        exit(0);
    }
    // As in a plan: after the mounts nothing can be written.
    let limited = (1..).zip(limits).find(|(_, limit)| limit_process_ids(limit).is_ok());
    let limited = limited.map_or(0, |(number, _)| number << LIMITED);
    let mounted = if mounts && mounts::trial().is_ok() { MOUNTED } else { 0 };
    exit(mounted | limited)
}

pub(super) fn exit(status: i32) -> ! {
    // SAFETY: ends the process without running anything of the host's.
    unsafe { libc::_exit(status) }
}

pub(super) fn last() -> Errno {
    // SAFETY: the address of this thread's error number is always valid.
    Errno::from_raw_os_error(unsafe { *libc::__errno_location() })
}

/// Handlers of the host are gone with its program, but what it ignores would stay ignored, and all is blocked now.
fn reset_signals() -> Result<(), Errno> {
    // SAFETY: default handlers only; `sigemptyset` fills the set that the last call reads. Numbers that cannot be set are
    // refused.
    unsafe {
        for signal in 1..=libc::SIGRTMAX() {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none = std::mem::MaybeUninit::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        match libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) {
            0 => Ok(()),
            errno => Err(Errno::from_raw_os_error(errno)),
        }
    }
}

/// The files are those of the caller's process namespace, wherever they are mounted.
fn limit_process_ids(limit: &[u8]) -> Result<(), Errno> {
    let files = [(c"/proc/sys/kernel/pid_max", limit), (c"/proc/sys/kernel/ns_last_pid", LAST_RESERVED)];
    for (file, text) in files {
        let file = rustix::fs::open(file, rustix::fs::OFlags::WRONLY, rustix::fs::Mode::empty())?;
        rustix::io::write(&file, text)?;
    }
    Ok(())
}

/// Also what the host opened without care.
fn close_on_exec() -> Result<(), Errno> {
    // SAFETY: marks descriptors, closes none.
    let failed =
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if failed == 0 { Ok(()) } else { Err(last()) }
}

/// For good: not even root's program, nor one that is set-user-ID, gets any again.
fn give_up_privileges() -> Result<(), Errno> {
    set_no_new_privs(true)?;
    if capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        let bits = CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
        set_capabilities_secure_bits(bits)?;
        for number in 0..u64::BITS {
            match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
                Ok(()) => {}
                // The kernel knows no more of them.
                Err(Errno::INVAL) => break,
                Err(errno) => return Err(errno),
            }
        }
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

fn restrict(rules: BorrowedFd<'_>) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    // SAFETY: takes a descriptor and flags, no memory.
    let failed = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) };
    if failed == 0 { Ok(()) } else { Err(last()) }
}
