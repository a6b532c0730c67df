//! Why a call has no answer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::ended::Ended;
use super::frame::FrameError;
use super::output::LastWords;

/// A call brought no answer. A plugin's own failure is not among these: it is an answer.
///
/// No message shows a payload, a context or a setting.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The process cannot be started.
    #[error("its worker cannot be started: {program}: {source}")]
    Start {
        /// What was to run.
        program: String,
        /// Why it does not.
        source: Arc<io::Error>,
    },
    /// It ended before it was ready.
    #[error("its worker was not ready: {why}{}", complaint(.said))]
    NotReady {
        /// How it ended.
        why: Ended,
        /// What it said last.
        said: LastWords,
    },
    /// It is not ready after this time.
    #[error("its worker was not ready within {}s{}", .after.as_secs_f64(), complaint(.said))]
    Slow {
        /// How long it had.
        after: Duration,
        /// What it said last.
        said: LastWords,
    },
    /// The worker runs and cannot load the plugin: an error model, as JSON.
    #[error("its worker cannot load it")]
    Load(Arc<[u8]>),
    /// It cannot be contained as it is to be.
    #[error("config.sandbox: {0}")]
    Sandbox(Arc<str>),
    /// It speaks another version of the protocol.
    #[error("its worker speaks version {0} of the protocol")]
    Version(u32),
    /// It had ended before the call was sent to it.
    #[error("its worker is gone: {0}")]
    Died(Ended),
    /// It ended while the answer was due. Whether the plugin ran is not known.
    #[error("its worker is gone: {why}")]
    Lost {
        /// How it ended.
        why: Ended,
        /// What it said last.
        said: Arc<LastWords>,
    },
    /// So many workers in a row have ended before they had answered a call, or did not start; none is started for a while.
    #[error("its workers have failed {failures} times in a row without an answer to a call; {}", next(*.wait))]
    Open {
        /// How many.
        failures: usize,
        /// How long none is started; nothing if one is on its way.
        wait: Duration,
    },
    /// The call is larger than may be sent.
    #[error("cannot send the call: {size} bytes exceed the limit of {limit}")]
    TooLarge {
        /// Bytes of the message.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The worker takes no more calls for now: it does not read those that were sent.
    #[error("cannot send the call: {0} bytes wait for its worker to read them")]
    Full(usize),
}

impl WorkerError {
    /// For programs: the word that external plugins use for it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Start { .. }
            | Self::NotReady { .. }
            | Self::Slow { .. }
            | Self::Load(_)
            | Self::Sandbox(_)
            | Self::Version(_) => "NOT_CONNECTED",
            Self::Died(_) | Self::Lost { .. } => "DISCONNECTED",
            Self::Open { .. } => "BREAKER_OPEN",
            Self::TooLarge { .. } | Self::Full(_) => "NOT_SENDABLE",
        }
    }
}

impl From<FrameError> for WorkerError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLarge { size, limit } => Self::TooLarge { size, limit },
            error => Self::Died(Ended::Protocol(error.into())),
        }
    }
}

impl WorkerError {
    /// What the worker said last, if it is gone.
    #[must_use]
    pub fn last_words(&self) -> Option<&LastWords> {
        match self {
            Self::NotReady { said, .. } | Self::Slow { said, .. } => Some(said),
            Self::Lost { said, .. } => Some(said),
            _ => None,
        }
    }
}

/// As much of it as a message should have.
fn complaint(said: &LastWords) -> String {
    const LINES: usize = 10;
    let lines: Vec<_> = [&said.stdout, &said.stderr].into_iter().flatten().map(String::as_str).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    if last.is_empty() { String::new() } else { format!("; it said: {}", last.join("\n")) }
}

fn next(wait: Duration) -> String {
    if wait.is_zero() {
        return "the next one is tried already".to_owned();
    }
    // No less than there is left: who asks again then is answered.
    format!("the next one is tried after {:.1}s", (wait.as_secs_f64() * 10.0).ceil() / 10.0)
}
