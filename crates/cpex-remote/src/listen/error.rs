//! Why a server cannot begin to listen.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A server cannot begin to listen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The path has no directory, or it is not one.
    #[error("{} is not in a directory that exists", .0.display())]
    NoDirectory(PathBuf),
    /// Others could put a socket of theirs in its place.
    #[error("everybody may write to the directory of {}: choose another, or set its sticky bit", .0.display())]
    OpenDirectory(PathBuf),
    /// The directory is somebody else's.
    #[error("the directory of {} belongs to neither this user nor root", .0.display())]
    ForeignDirectory(PathBuf),
    /// Something that is not a socket is there, and stays there.
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// Another server is serving there.
    #[error("another server is listening on {}", .0.display())]
    InUse(PathBuf),
    /// The system refused.
    #[error("cannot listen on {address}: {source}")]
    Io {
        /// A socket's path, or host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
}
