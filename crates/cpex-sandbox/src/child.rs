//! A process that runs, watched by a thread of its own.

use std::io;
use std::process::ExitStatus;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::system::Handle;

/// A program that was started. Dropping it kills the program.
///
/// Its thread is the parent that its life is bound to: the kernel kills the program when that thread or this process ends,
/// so no thread of a pool takes it along by retiring.
#[derive(Debug)]
pub struct Child {
    pub(crate) handle: Handle,
    pub(crate) status: watch::Receiver<Option<ExitStatus>>,
    pub(crate) thread: Option<JoinHandle<()>>,
}

impl Child {
    /// Its process id, as the host sees it.
    pub fn id(&self) -> u32 {
        self.handle.id()
    }

    /// Kills it and, where the kernel gives it a process namespace or a cgroup, all that it started; otherwise its process
    /// group. Does nothing once it has ended, nor in a fork of the process that started it.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn kill(&self) -> io::Result<()> {
        self.handle.kill()
    }

    /// Waits until it has ended, on any async runtime. May be called by several, and again. A program that has used up its CPU
    /// time was killed by `SIGXCPU`.
    pub async fn wait(&self) -> ExitStatus {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some).await.map(|status| *status);
        // The thread that holds the sender tells the status before it ends.
        ended.ok().flatten().unwrap_or_else(unknown)
    }

    /// Kills it, and says how it ended: killed, or by itself before. Blocks until it has, which killed processes do at once.
    ///
    /// # Errors
    ///
    /// As [`Child::kill`].
    pub fn end(mut self) -> io::Result<ExitStatus> {
        self.kill()?;
        if let Some(thread) = self.thread.take() {
            // It panicked, or the status is there.
            let _ = thread.join();
        }
        Ok(self.status().unwrap_or_else(unknown))
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }
}

/// The end of a program that nobody saw: a failure, status 255.
pub(crate) fn unknown() -> ExitStatus {
    #[cfg(unix)]
    return std::os::unix::process::ExitStatusExt::from_raw(255 << 8);
    #[cfg(windows)]
    return std::os::windows::process::ExitStatusExt::from_raw(255);
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.status().is_none()
            && let Err(error) = self.kill()
        {
            tracing::warn!(id = self.id(), %error, "a child could not be killed");
        }
    }
}
