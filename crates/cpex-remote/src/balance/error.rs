//! Why no server has answered.

use thiserror::Error;

use crate::error::{Delivery, RemoteError};
use crate::wire::{InvalidReply, Unreadable};

/// No server has answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BalanceError {
    /// The last one that was asked did not.
    #[error("{}{error}", if error.names_target() { String::new() } else { format!("{target}: ") })]
    Remote {
        /// Which one.
        target: String,
        /// Why not.
        #[source]
        error: RemoteError,
    },
    /// All of them have failed lately and are left alone.
    #[error("all {} servers have failed lately and are left alone for a while ({})", .0.len(), .0.join(", "))]
    Open(Vec<String>),
}

impl BalanceError {
    /// How far the call came.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        match self {
            Self::Remote { error, .. } => error.delivery(),
            Self::Open(_) => Delivery::NotDelivered,
        }
    }

    /// The same for programs, as both hosts have it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        let Self::Remote { error, .. } = self else { return "BREAKER_OPEN" };
        match error {
            RemoteError::Connect { .. } | RemoteError::Reconnect { .. } => "NOT_CONNECTED",
            RemoteError::Busy(_) => "BUSY",
            RemoteError::TimedOut(_) => "TIMED_OUT",
            RemoteError::Disconnected(_) => "DISCONNECTED",
            RemoteError::Unsendable(_) | RemoteError::Token | RemoteError::TooLarge { .. } => "NOT_SENDABLE",
            RemoteError::Status { .. } | RemoteError::Rejected { .. } => "REFUSED",
            RemoteError::Invalid(InvalidReply::Result(Unreadable::Text(_))) => "JSON_DECODE_ERROR",
            RemoteError::Invalid(_) | RemoteError::Malformed(_) => "INVALID_RESPONSE",
        }
    }
}
