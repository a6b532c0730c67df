//! A process that runs: its thread, its end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, pidfd_send_signal, waitid,
};

use super::broker::Broker;
use crate::child::unknown;

/// A process, until it is reaped and after.
#[derive(Clone, Debug)]
pub(crate) struct Handle(Arc<Process>);

#[derive(Debug)]
struct Process {
    pid: Pid,
    pidfd: OwnedFd,
    /// CPU time after which the kernel kills it.
    cpu_time: Option<Duration>,
    /// The process that started it. A fork of that one has a copy of this, and no say.
    host: u32,
    /// Once it is, its number may be another's.
    reaped: Mutex<bool>,
}

impl Handle {
    pub(super) fn new(pid: Pid, pidfd: OwnedFd, cpu_time: Option<Duration>) -> Self {
        Self(Arc::new(Process { pid, pidfd, cpu_time, host: std::process::id(), reaped: Mutex::new(false) }))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The process, all of its namespace with it, and what is left of its group where it has none.
    pub(crate) fn kill(&self) -> io::Result<()> {
        if self.0.host != std::process::id() {
            return Ok(());
        }
        let reaped = self.0.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if *reaped {
            return Ok(());
        }
        self.kill_group();
        match pidfd_send_signal(&self.0.pidfd, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Before the leader is reaped, so the number is still the group's. There may be nobody left in it.
    fn kill_group(&self) {
        let _ = kill_process_group(self.0.pid, Signal::KILL);
    }

    /// Serves the process until it ends; then nothing of it is left.
    pub(super) fn watch(&self, broker: Option<Broker>) -> ExitStatus {
        let mut broker = broker.map(Arc::new);
        loop {
            let mut files = vec![PollFd::new(&self.0.pidfd, PollFlags::IN)];
            files.extend(
                broker.as_ref().map(|broker| PollFd::from_borrowed_fd(broker.listener(), PollFlags::IN)),
            );
            match poll(&mut files, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => {
                    tracing::error!(id = self.id(), error = %errno, "a contained program cannot be watched: it is killed");
                    self.kill_group();
                }
            }
            let events: Vec<PollFlags> = files.iter().map(PollFd::revents).collect();
            if !events[0].is_empty() {
                return self.reap();
            }
            match (events.get(1), &broker) {
                (Some(events), Some(listening)) if events.contains(PollFlags::IN) => listening.serve(),
                // Nobody is left who could ask.
                (Some(events), _) if !events.is_empty() => broker = None,
                _ => {}
            }
        }
    }

    pub(super) fn reap(&self) -> ExitStatus {
        let wait = || waitid(WaitId::PidFd(self.0.pidfd.as_fd()), WaitIdOptions::EXITED);
        // It has ended, or is about to: without the lock, or nobody could kill it.
        let ready =
            || waitid(WaitId::PidFd(self.0.pidfd.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let _ = rustix::io::retry_on_intr(ready);
        let spent = self.0.cpu_time.is_some_and(|most| self.cpu_time().is_some_and(|time| time >= most));
        let mut reaped = self.0.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        self.kill_group();
        let status = rustix::io::retry_on_intr(wait).ok().flatten();
        *reaped = true;
        // A host that ignores SIGCHLD lets the kernel reap, and nobody knows how it ended.
        let status = status.as_ref().and_then(exit_status).unwrap_or_else(unknown);
        // The kernel kills with this one, which does not say why.
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        if spent && killed { ExitStatus::from_raw(Signal::XCPU.as_raw()) } else { status }
    }

    /// As the kernel measures it for the limit, also of a process that has ended and is not reaped.
    fn cpu_time(&self) -> Option<Duration> {
        // Three bits say which clock of the process: 0 is `CPUCLOCK_PROF`.
        let clock = !self.0.pid.as_raw_pid() << 3;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call fills the structure.
        let failed = unsafe { libc::clock_gettime(clock, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        (failed == 0).then(|| Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0)))
    }
}

fn exit_status(status: &WaitIdStatus) -> Option<ExitStatus> {
    let raw = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, signal) => signal? | if status.dumped() { 0x80 } else { 0 },
    };
    Some(ExitStatus::from_raw(raw))
}
