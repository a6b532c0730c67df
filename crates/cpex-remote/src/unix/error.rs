//! What can go wrong on a socket.

use std::io;
use std::time::Duration;

use thiserror::Error;

/// A frame cannot be read. The connection is of no further use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The peer announced more than is allowed. Nothing was allocated for it.
    #[error("a frame of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// What was announced.
        size: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The peer stopped in the middle.
    #[error("the connection ended within a frame")]
    Truncated,
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A connection was ended by the server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer sent no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer took too long to send a request or to take a reply.
    #[error("a transfer took longer than {}s", .0.as_secs_f64())]
    Slow(Duration),
    /// No memory became free for the request.
    #[error("no memory for a request of {0} bytes")]
    Memory(usize),
}
