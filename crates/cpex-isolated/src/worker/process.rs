//! The process of a worker.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process_group};

use super::config::Launch;
use super::error::WorkerError;
use super::output::Output;

/// A process in a group of its own. Dropping it ends the whole group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    exit: Exit,
    reaped: Option<ExitStatus>,
}

impl Process {
    /// Starts it, the other end of the socket being its standard input. It is the child of this very thread, and ends with
    /// it if it asks for that.
    pub(super) fn start(launch: &Launch, socket: UnixStream, output: &Arc<Output>) -> Result<Self, WorkerError> {
        let failed = |source: io::Error| WorkerError::Start {
            program: launch.program.display().to_string(),
            source: Arc::new(source),
        };
        let mut command = Command::new(&launch.program);
        command
            .args(&launch.arguments)
            .env_clear()
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(folder) = &launch.folder {
            command.current_dir(folder);
        }
        if let Some(contain) = &launch.contain {
            contain.apply(&mut command).map_err(failed)?;
        }
        let mut child = command.spawn().map_err(failed)?;
        let streams = (child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from));
        let exit = Exit::of(&child);
        let process = Self { child, exit: exit.map_err(failed)?, reaped: None };
        for stream in [streams.0, streams.1].into_iter().flatten() {
            output.capture(stream).map_err(failed)?;
        }
        Ok(process)
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns when it has ended.
    pub(super) async fn ended(&mut self) {
        self.exit.wait(&mut self.child).await;
    }

    /// Ends it and what it has started, and says how it ended.
    pub(super) fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.reaped {
            return Ok(status);
        }
        // Until it is reaped, nobody else has its number. It fails if all of them have ended.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let status = self.child.wait()?;
        self.reaped = Some(status);
        Ok(status)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Killed processes end at once.
        let _ = self.end();
    }
}

/// Tells the end of a process without reaping it.
#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Exit(tokio::io::unix::AsyncFd<OwnedFd>);

#[cfg(target_os = "linux")]
impl Exit {
    fn of(child: &Child) -> io::Result<Self> {
        use rustix::process::{PidfdFlags, pidfd_open};
        let pid = Pid::from_child(child);
        let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
        Ok(Self(tokio::io::unix::AsyncFd::with_interest(descriptor, tokio::io::Interest::READABLE)?))
    }

    async fn wait(&mut self, _: &mut Child) {
        // It stays readable.
        let _ = self.0.readable().await;
    }
}

/// Tells the end of a process, a little late: there is nothing to wait for here.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
struct Exit;

#[cfg(not(target_os = "linux"))]
impl Exit {
    const PERIOD: std::time::Duration = std::time::Duration::from_millis(20);

    fn of(_: &Child) -> io::Result<Self> {
        Ok(Self)
    }

    async fn wait(&mut self, child: &mut Child) {
        while let Ok(None) = child.try_wait() {
            tokio::time::sleep(Self::PERIOD).await;
        }
    }
}

/// Bytes of memory that a process uses; `None` where nobody says.
pub(super) fn memory(process: u32) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let resident: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(resident.saturating_mul(u64::try_from(rustix::param::page_size()).ok()?))
}
