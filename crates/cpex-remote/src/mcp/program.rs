//! A server that is a child of this process.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::secret::Secret;

/// How to start a server that speaks over its standard streams.
///
/// It runs in a process group of its own, so that what it starts ends with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What to run.
    pub launch: Launch,
    /// Set in its environment, besides that of this process.
    pub env: Vec<(String, Secret)>,
    /// Where it runs; here, if nowhere is named.
    pub cwd: Option<PathBuf>,
    /// What runs a script that ends in `.py`.
    pub python: PathBuf,
    /// For it to end when its input is closed, and again when it is told to.
    pub grace: Duration,
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    /// A program and its arguments.
    Command(Vec<String>),
    /// A script: `.py` is run by Python, `.sh` by `sh`, any other must be executable. A relative path begins at `cwd`.
    Script(PathBuf),
}

impl Program {
    /// The defaults.
    #[must_use]
    pub fn new(launch: Launch) -> Self {
        Self {
            launch,
            env: Vec::new(),
            cwd: None,
            python: PathBuf::from("python3"),
            grace: Duration::from_secs(2),
        }
    }

    /// Starts it, its three streams being pipes.
    pub(super) fn spawn(&self) -> io::Result<Child> {
        let mut command = self.command()?;
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        command
            .envs(self.env.iter().map(|(name, value)| (name, value.reveal())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
    }

    fn command(&self) -> io::Result<Command> {
        match &self.launch {
            Launch::Command(words) => {
                let (program, arguments) = words
                    .split_first()
                    .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"))?;
                let mut command = Command::new(program);
                command.args(arguments);
                Ok(command)
            }
            Launch::Script(script) => {
                // The path is found from here; the child looks from where it runs.
                let script = std::path::absolute(self.cwd.as_deref().unwrap_or(Path::new("")).join(script))?;
                if !script.is_file() {
                    let missing = format!("Server script {} does not exist.", script.display());
                    return Err(io::Error::new(io::ErrorKind::NotFound, missing));
                }
                let runner = match script.extension().and_then(|kind| kind.to_str()) {
                    Some("py") => Some(self.python.as_path()),
                    Some("sh") => Some(Path::new("sh")),
                    _ => None,
                };
                Ok(match runner {
                    Some(runner) => {
                        let mut command = Command::new(runner);
                        command.arg(script);
                        command
                    }
                    None => Command::new(script),
                })
            }
        }
    }

    /// Its name, for errors.
    pub(super) fn name(&self) -> String {
        match &self.launch {
            Launch::Command(words) => words.first().cloned().unwrap_or_default(),
            Launch::Script(script) => script.display().to_string(),
        }
    }
}
