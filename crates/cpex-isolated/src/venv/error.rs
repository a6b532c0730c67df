//! What can go wrong with a build, and at which step.

use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};
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
    #[error("{}", failed(*step, requirements.as_deref(), *is_offline, *code, stderr))]
    Failed {
        /// What it was for.
        step: Step,
        /// The requirements file that was to be installed.
        requirements: Option<PathBuf>,
        /// Was no index asked?
        is_offline: bool,
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
    #[error("the environment cannot be used: {reason}{}", not_again(record.as_deref()))]
    Refused {
        /// Why.
        reason: String,
        /// The file that says so, and for which it is not built again; none if the next start may find it otherwise.
        record: Option<PathBuf>,
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

    /// The requirements file that could not be installed.
    pub fn requirements(&self) -> Option<&Path> {
        match self {
            Self::Failed { requirements, .. } => requirements.as_deref(),
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

/// How many lines of an installer a message quotes, and how much of each.
const QUOTED: usize = 6;
const LONGEST: usize = 300;

/// What uv says before it says what is wrong.
const PREAMBLE: [&str; 2] = ["Using Python ", "Resolved "];

/// What pip says of each attempt to reach an index.
const ATTEMPT: &str = "WARNING: Retrying ";

fn failed(
    step: Step,
    requirements: Option<&Path>,
    is_offline: bool,
    code: Option<i32>,
    stderr: &str,
) -> String {
    let of = requirements.map(|file| format!(" of {}", file.display())).unwrap_or_default();
    let ended = code.map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit code {code}"));
    let offline = if is_offline { "; `offline` is set, so no index was asked" } else { "" };
    format!("{step}{of} failed ({ended}){offline}{}", quoted(stderr))
}

/// The end of what was written: one line behind a colon, several below it.
fn quoted(stderr: &str) -> String {
    let is_told =
        |line: &&str| !line.trim().is_empty() && !PREAMBLE.iter().any(|start| line.starts_with(start));
    let mut lines: Vec<_> = stderr.lines().filter(is_told).collect();
    lines.dedup_by(|line, before| line.starts_with(ATTEMPT) && before.starts_with(ATTEMPT));
    match &lines[lines.len().saturating_sub(QUOTED)..] {
        [] => String::new(),
        [only] => format!(": {}", cut(only.trim())),
        several => {
            several.iter().fold(":".to_owned(), |text, line| format!("{text}\n  {}", cut(line.trim_end())))
        }
    }
}

fn cut(line: &str) -> String {
    let mut shown: String = line.chars().take(LONGEST).collect();
    if shown.len() < line.len() {
        shown.push('…');
    }
    shown
}

fn not_again(record: Option<&Path>) -> String {
    let Some(record) = record else { return String::new() };
    format!("; it is not built again before something of it changes, or {} is deleted", record.display())
}
