//! How the life of a worker ends.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use thiserror::Error;

use super::frame::FrameError;

/// Why a worker is no more.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Ended {
    /// It ended by itself, or somebody else killed it.
    #[error("it {}", how(*.0))]
    Exited(ExitStatus),
    /// Its event loop stood still.
    #[error("it was killed: its event loop did not turn for {}s", .0.as_secs_f64())]
    Hung(Duration),
    /// It went on with a call that was given up.
    #[error("it was killed: it did not give a call up within {}s", .0.as_secs_f64())]
    Stubborn(Duration),
    /// It took more memory than it may.
    #[error("it was killed: it used {used} bytes of memory, more than {limit}")]
    Memory {
        /// Bytes in use.
        used: u64,
        /// Bytes it may use.
        limit: u64,
    },
    /// It sent what is no answer to anything that was asked.
    #[error("it was killed: it broke the protocol: {0}")]
    Protocol(Breach),
    /// Nobody called for a while.
    #[error("it was not used")]
    Idle,
    /// The host has no more use for it.
    #[error("the plugin was shut down")]
    Asked,
}

/// How a worker broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Breach {
    /// What it sent is no message.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// What it sent answers nothing.
    #[error("an answer that nobody asked for")]
    Unasked,
    /// It closed the connection, and lives on.
    #[error("the connection was closed")]
    Closed,
}

impl Ended {
    /// Is the worker, or what runs in it, to blame?
    #[must_use]
    pub fn is_fault(&self) -> bool {
        !matches!(self, Self::Idle | Self::Asked)
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) if signal == Signal::XCPU.as_raw() => {
            "used up its CPU time (`cpu_seconds` of its sandbox, or a limit of its host)".to_owned()
        }
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
