//! Systems other than Linux: a program is started and watched, and contained in nothing.

use std::io;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use shared_child::SharedChild;
use tokio::sync::watch;

use crate::{Basis, Child, Policy, Profile, Program, Refusal, Stream, Support};

#[derive(Debug)]
pub(crate) struct Handle(Arc<SharedChild>);

impl Handle {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        self.0.kill()
    }
}

pub(crate) fn support() -> &'static Support {
    static SUPPORT: OnceLock<Support> = OnceLock::new();
    SUPPORT.get_or_init(|| Support { system: std::env::consts::OS.to_owned(), ..Support::default() })
}

#[derive(Debug)]
pub(crate) struct Sandbox {
    basis: Basis,
    env: Vec<String>,
    profile: Profile,
}

impl Sandbox {
    pub(crate) fn new(policy: &Policy, basis: &Basis) -> Result<Self, Refusal> {
        Ok(Self { basis: basis.clone(), env: policy.env.clone(), profile: policy.profile })
    }

    pub(crate) fn spawn(&self, program: Program) -> io::Result<Child> {
        let [stdin, stdout, stderr] = program.streams.map(Stdio::from);
        let mut command = Command::new(&program.path);
        command
            .args(&program.args)
            .current_dir(program.folder.as_ref().unwrap_or(&self.basis.scratch))
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr);
        if self.profile != Profile::None {
            command.env_clear();
        }
        command
            .envs(crate::program::environment(self.profile, &self.env, &self.basis.scratch))
            .envs(program.env);
        let (started, start) = std::sync::mpsc::channel();
        let (ended, status) = watch::channel(None);
        // The same thread starts and watches, as on Linux.
        let thread = std::thread::Builder::new().name("cpex-sandbox".into()).spawn(move || {
            let child = match SharedChild::spawn(&mut command) {
                Ok(child) => Arc::new(child),
                Err(error) => return drop(started.send(Err(error))),
            };
            // The end that the host kept of a stream must close with the program.
            drop(command);
            drop(started.send(Ok(Handle(Arc::clone(&child)))));
            if let Ok(status) = child.wait() {
                ended.send_replace(Some(status));
            }
        })?;
        let handle = start.recv().map_err(|_| io::Error::other("the thread of the child ended"))??;
        Ok(Child { handle, status, thread: Some(thread) })
    }
}

impl From<Stream> for Stdio {
    fn from(stream: Stream) -> Self {
        match stream {
            Stream::Null => Self::null(),
            Stream::Inherit => Self::inherit(),
            #[cfg(unix)]
            Stream::To(end) => end.into(),
        }
    }
}
