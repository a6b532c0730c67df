//! The process of a worker.

use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use cpex_sandbox::Child;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::config::Launch;
use super::contained::Contained;
use super::error::WorkerError;
use super::output::Output;

/// For what looks after a worker to end all that the worker has started.
const GRACE: Duration = Duration::from_secs(1);

/// A process in a group of its own. Dropping it has it end, and what it has started.
#[derive(Debug)]
pub(super) struct Process {
    id: u32,
    child: Offspring,
}

#[derive(Debug)]
enum Offspring {
    Free(Free),
    Contained(Child),
    /// It was ended.
    Gone,
}

/// A process that may do all that its host may.
#[derive(Debug)]
struct Free {
    group: Option<Pid>,
    ended: watch::Receiver<bool>,
    /// Has it reaped, and say how the process ended.
    reap: Sender<()>,
    status: oneshot::Receiver<io::Result<ExitStatus>>,
}

impl Process {
    /// Starts it, the other end of the socket being its standard input.
    ///
    /// It is the child of a thread of its own, which stays until it has ended: a process may ask to end with the thread
    /// that started it.
    pub(super) async fn start(
        launch: &Launch,
        contained: Option<Arc<Contained>>,
        socket: UnixStream,
        output: &Arc<Output>,
    ) -> Result<Self, WorkerError> {
        let failed = |source: io::Error| WorkerError::Start {
            program: launch.program.display().to_string(),
            source: Arc::new(source),
        };
        let started = match contained {
            Some(contained) => {
                let launch = launch.clone();
                let starting = spawn_blocking(move || contained.start(&launch, socket)).await;
                let (child, streams) = starting.map_err(|_| failed(lost()))?.map_err(failed)?;
                (Self { id: child.id(), child: Offspring::Contained(child) }, streams)
            }
            None => Self::free(command(launch, socket)).await.map_err(failed)?,
        };
        let (process, streams) = started;
        let [out, err] = streams;
        output.capture(out, err).map_err(failed)?;
        Ok(process)
    }

    async fn free(command: Command) -> io::Result<(Self, [OwnedFd; 2])> {
        let (started, starting) = oneshot::channel();
        let (tell, ended) = watch::channel(false);
        let (reap, reaping) = channel();
        let (reaped, status) = oneshot::channel();
        thread::Builder::new().name("cpex-worker".to_owned()).spawn(move || {
            // Whoever wants to know how it ended may be gone.
            let _ = reaped.send(look_after(command, started, &tell, &reaping));
        })?;
        let (id, streams) = starting.await.map_err(|_| lost())??;
        let group = i32::try_from(id).ok().and_then(Pid::from_raw);
        Ok((Self { id, child: Offspring::Free(Free { group, ended, reap, status }) }, streams))
    }

    /// The number of the worker, which says another than that of the process if somebody looks after it.
    pub(super) fn worker(&self, said: Option<u32>) -> u32 {
        match &self.child {
            Offspring::Free(_) => said.unwrap_or(self.id),
            // What it sees is the number in a namespace of its own.
            Offspring::Contained(_) | Offspring::Gone => self.id,
        }
    }

    /// Returns when it has ended.
    pub(super) async fn ended(&mut self) {
        match &mut self.child {
            // The thread says so before it goes.
            Offspring::Free(free) => drop(free.ended.wait_for(|ended| *ended).await),
            Offspring::Contained(child) => drop(child.wait().await),
            Offspring::Gone => {}
        }
    }

    /// Ends it and what it has started, and says how it ended.
    pub(super) async fn end(&mut self) -> io::Result<ExitStatus> {
        match mem::replace(&mut self.child, Offspring::Gone) {
            Offspring::Free(free) => free.end().await,
            // Not by blocking: others wait for this thread, and a process may be slow to go.
            Offspring::Contained(child) => {
                child.kill()?;
                Ok(child.wait().await)
            }
            Offspring::Gone => Err(io::Error::other("the process was ended before")),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Offspring::Free(free) = &self.child {
            free.tell();
        }
    }
}

impl Free {
    /// Until it is reaped, nobody else has its number.
    async fn end(mut self) -> io::Result<ExitStatus> {
        if !*self.ended.borrow() {
            self.tell();
            let _ = timeout(GRACE, self.ended.wait_for(|ended| *ended)).await;
        }
        // It fails if all of them have ended.
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(self.reap);
        self.status.await.unwrap_or_else(|_| Err(lost()))
    }

    /// Tells it to end. On Linux, what looks after a worker also finds what has left the group.
    fn tell(&self) {
        let Some(process) = self.group else { return };
        let _ = if cfg!(target_os = "linux") && !*self.ended.borrow() {
            kill_process(process, Signal::TERM)
        } else {
            kill_process_group(process, Signal::KILL)
        };
    }
}

fn lost() -> io::Error {
    io::Error::other("the thread of the process has ended")
}

type Started = io::Result<(u32, [OwnedFd; 2])>;

/// The thread of a process: its parent, until it has ended and may be reaped.
fn look_after(
    mut command: Command,
    started: oneshot::Sender<Started>,
    ended: &watch::Sender<bool>,
    reap: &Receiver<()>,
) -> io::Result<ExitStatus> {
    let spawned = command.spawn();
    // It holds the other end of the socket.
    drop(command);
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            let _ = started.send(Err(error));
            return Err(io::Error::other("it was not started"));
        }
    };
    let streams = child.stdout.take().zip(child.stderr.take());
    let streams = streams.map(|(out, err)| (child.id(), [out.into(), err.into()])).ok_or_else(lost);
    if started.send(streams).is_err() {
        let _ = child.kill();
    }
    while waitid(WaitId::Pid(Pid::from_child(&child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        .is_err_and(|error| error == rustix::io::Errno::INTR)
    {}
    ended.send_replace(true);
    // What is left of its group is killed meanwhile.
    let _ = reap.recv();
    child.wait()
}

fn command(launch: &Launch, socket: UnixStream) -> Command {
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
    command
}

/// Bytes of memory that a process uses; `None` where nobody says.
pub(super) fn memory(process: u32) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let resident: u64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(resident.saturating_mul(u64::try_from(rustix::param::page_size()).ok()?))
}
