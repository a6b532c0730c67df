//! What can go wrong with a build, and at which step.

use std::fmt::{self, Display};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A step of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Another process builds for the same plugin.
    Wait,
    /// The empty environment is made.
    Make,
    /// Packages are installed.
    Install,
    /// What was installed is looked at.
    Check,
    /// The environment is written to the disk for good, and becomes the plugin's.
    Keep,
}

impl Step {
    /// Its name in logs and errors.
    ///
    /// ```
    /// assert_eq!(cpex_isolated::venv::Step::Install.name(), "install");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Make => "make",
            Self::Install => "install",
            Self::Check => "check",
            Self::Keep => "keep",
        }
    }
}

impl Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Why there is no environment. Nothing in it shows a credential.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The requirements cannot be used.
    #[error("cannot read the requirements: {0}")]
    Requirements(String),
    /// A command ended with a failure.
    #[error("{}", failed(*step, *code, stderr))]
    Failed {
        /// What it was for.
        step: Step,
        /// The command.
        command: String,
        /// Its exit code; none if a signal ended it.
        code: Option<i32>,
        /// The last lines it wrote to standard error.
        stderr: String,
    },
    /// A command could not be started.
    #[error("{step} failed: cannot start {command}: {source}")]
    NotStarted {
        /// What it was for.
        step: Step,
        /// The command.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// The time limit was reached.
    #[error("{step} is not done after {after:?}, the time limit of a build")]
    TimedOut {
        /// What was being done.
        step: Step,
        /// The limit.
        after: Duration,
        /// The last lines that the command wrote to standard error.
        stderr: String,
    },
    /// The build was given up.
    #[error("the build was given up (step {step})")]
    Cancelled {
        /// What was being done.
        step: Step,
    },
    /// What was installed cannot be used.
    #[error("the environment cannot be used: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// A file or folder could not be read or written.
    #[error("{step} failed: {}: {source}", path.display())]
    Io {
        /// What was being done.
        step: Step,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BuildError {
    /// The step that failed.
    pub fn step(&self) -> Step {
        match self {
            Self::Requirements(_) | Self::Refused { .. } => Step::Check,
            Self::Failed { step, .. }
            | Self::NotStarted { step, .. }
            | Self::TimedOut { step, .. }
            | Self::Cancelled { step }
            | Self::Io { step, .. } => *step,
        }
    }

    /// The command that failed.
    pub fn command(&self) -> Option<&str> {
        match self {
            Self::Failed { command, .. } | Self::NotStarted { command, .. } => Some(command),
            _ => None,
        }
    }

    /// The exit code of the command that failed.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Failed { code, .. } => *code,
            _ => None,
        }
    }

    /// The last lines that the command wrote to standard error.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Failed { stderr, .. } | Self::TimedOut { stderr, .. } => stderr,
            _ => "",
        }
    }
}

fn failed(step: Step, code: Option<i32>, stderr: &str) -> String {
    let ended = code.map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit code {code}"));
    match stderr.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(last) => format!("{step} failed ({ended}): {}", last.trim()),
        None => format!("{step} failed ({ended})"),
    }
}
