//! Workers that may not do all that their host may.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use cpex_sandbox::{Basis, Child, Prepared, Profile, Program};

use super::config::{Launch, Sandbox};
use super::error::WorkerError;
use super::scratch::Scratch;

/// A sandbox made ready, and the folder that workers in it may write to.
#[derive(Debug)]
pub(super) struct Contained {
    prepared: Prepared,
    scratch: Scratch,
}

impl Sandbox {
    /// Makes it ready, once for all workers of a plugin; `None` if nothing is to be contained. Blocks for milliseconds.
    pub(super) fn prepare(&self, plugin: &str) -> Result<Option<Arc<Contained>>, WorkerError> {
        if self.policy.profile == Profile::None {
            return Ok(None);
        }
        let refused = |why: &dyn std::fmt::Display| WorkerError::Sandbox(why.to_string().into());
        let scratch = Scratch::new(&std::env::temp_dir()).map_err(|error| refused(&error))?;
        let basis = Basis::new(&self.root, scratch.plugins()).files(scratch.path());
        let basis = self.readable.iter().fold(basis, Basis::read);
        let prepared = self.policy.prepare(&basis).map_err(|refusal| refused(&refusal))?;
        for missing in prepared.missing() {
            tracing::warn!(plugin, "the sandbox of an isolated plugin has a gap: {missing}");
        }
        Ok(Some(Arc::new(Contained { prepared, scratch })))
    }
}

impl Contained {
    /// Removes the folder of the workers, which have ended. Blocks for as long as that takes.
    pub(super) fn clear(&self) {
        self.scratch.remove();
    }

    /// Starts a worker, the other end of the socket being its standard input, and hands back its output. Blocks for
    /// milliseconds.
    pub(super) fn start(&self, launch: &Launch, socket: UnixStream) -> io::Result<(Child, [OwnedFd; 2])> {
        let (out, stdout) = io::pipe()?;
        let (err, stderr) = io::pipe()?;
        let program =
            Program::new(&launch.program).args(&launch.arguments).stdin(socket).stdout(stdout).stderr(stderr);
        let program =
            launch.environment.iter().fold(program, |program, (name, value)| program.env(name, value));
        let program = match &launch.folder {
            Some(folder) => program.folder(folder),
            None => program,
        };
        Ok((self.prepared.spawn(program)?, [out.into(), err.into()]))
    }
}
