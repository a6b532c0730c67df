//! Why a client has no reply.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::wire;

/// A call brought no reply. A plugin's own failure is not among these: it is a reply.
///
/// No message shows a payload, a context or a key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// No connection could be made.
    #[error("failed to connect to {target}: {source}")]
    Connect {
        /// Where to.
        target: String,
        /// Why not.
        source: io::Error,
    },
    /// Nor could it be made again.
    #[error("failed to reconnect to {target} after {attempts} attempts: {source}")]
    Reconnect {
        /// Where to.
        target: String,
        /// How often it was tried.
        attempts: usize,
        /// Why it failed at last.
        source: io::Error,
    },
    /// As many calls are under way as may be, and none of them has ended in time.
    #[error("no connection was free for {}s", .0.as_secs_f64())]
    Busy(Duration),
    /// The call took too long. Whether the plugin ran is not known.
    #[error("request timed out after {}s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The connection broke while the reply was due. Whether the plugin ran is not known.
    #[error("connection lost before the reply: {0}")]
    Disconnected(#[source] io::Error),
    /// The caller's payload or context cannot go over this wire.
    #[error("cannot send the call: {0}")]
    Unsendable(#[from] wire::NotEncodable),
    /// The token has characters that no header carries.
    #[error("cannot send the token: it has characters other than visible ASCII")]
    Token,
    /// The call is larger than the transport carries.
    #[error("cannot send the call: {size} bytes exceed the limit of {limit}")]
    TooLarge {
        /// The size of the message.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The call ended with a status instead of a reply.
    #[error("the call ended without a reply ({code}): {message}")]
    Status {
        /// The transport's word for why.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// The server answered that the request cannot be served as it is, by any server of its kind.
    #[error("the call was rejected ({code}): {message}")]
    Rejected {
        /// The transport's word for why.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// The peer broke the contract: what it sent is not a reply to this call.
    #[error("invalid reply: {0}")]
    Invalid(#[from] wire::InvalidReply),
    /// The peer broke the contract: what it sent is no message at all.
    #[error("invalid message: {0}")]
    Malformed(String),
}

/// How far a call came that brought no reply: what may be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The plugin did not run: another server may be asked.
    NotDelivered,
    /// The plugin may have run, or be running.
    Unknown,
    /// The peer answered, and the answer is no reply.
    Answered,
}

impl RemoteError {
    /// How far the call came.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Connect { .. }
            | Self::Reconnect { .. }
            | Self::Busy(_)
            | Self::Unsendable(_)
            | Self::Token
            | Self::TooLarge { .. } => Delivery::NotDelivered,
            Self::TimedOut(_) | Self::Disconnected(_) => Delivery::Unknown,
            Self::Status { .. } | Self::Rejected { .. } | Self::Invalid(_) | Self::Malformed(_) => {
                Delivery::Answered
            }
        }
    }

    /// Does it lie in what was asked? Then it says nothing of the server, and no other could do better.
    #[must_use]
    pub fn is_of_the_call(&self) -> bool {
        match self {
            Self::Unsendable(_) | Self::Token | Self::TooLarge { .. } | Self::Rejected { .. } => true,
            Self::Connect { .. }
            | Self::Reconnect { .. }
            | Self::Busy(_)
            | Self::TimedOut(_)
            | Self::Disconnected(_)
            | Self::Status { .. }
            | Self::Invalid(_)
            | Self::Malformed(_) => false,
        }
    }
}

impl RemoteError {
    /// Does its text say where the server is?
    #[cfg(any(feature = "_http", feature = "unix"))]
    pub(crate) fn names_target(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Reconnect { .. })
    }
}

/// What lies under an error, in words.
#[cfg(feature = "_http")]
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Characters of a server's text that are shown.
#[cfg(feature = "_http")]
const SHOWN: usize = 200;

/// A text of a server as a part of a message: not all of it, for it may hold what was asked, and on one line.
#[cfg(feature = "_http")]
pub(crate) fn shown(text: &str) -> String {
    let mut rest = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = rest.by_ref().take(SHOWN).collect();
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}
