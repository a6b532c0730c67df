//! What a client and a server are told.

use std::path::PathBuf;
use std::time::Duration;

use super::frame::MAX_FRAME;
use crate::wire::Numbers;

/// How to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// The socket.
    pub path: PathBuf,
    /// For a whole call, connecting included.
    pub timeout: Duration,
    /// How often connecting is tried again once a connection was lost.
    pub reconnect_attempts: usize,
    /// Before the first of these attempts; the next ones wait longer, up to 5 s.
    pub reconnect_delay: Duration,
    /// How many calls may be under way at a time, each on a connection of its own; more wait.
    pub connections: usize,
    /// What becomes of whole numbers.
    pub numbers: Numbers,
}

impl ClientConfig {
    /// The defaults of CPEX 0.1.x, and 16 connections.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            timeout: Duration::from_secs(30),
            reconnect_attempts: 3,
            reconnect_delay: Duration::from_millis(100),
            connections: 16,
            numbers: Numbers::default(),
        }
    }
}

/// Where and how to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The socket; its directory must exist.
    pub path: PathBuf,
    /// What peers may ask of the server.
    pub limits: Limits,
    /// What becomes of whole numbers.
    pub numbers: Numbers,
}

impl ServerConfig {
    /// The default limits.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), limits: Limits::default(), numbers: Numbers::default() }
    }
}

/// What peers may ask of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; further ones are closed at once.
    pub connections: usize,
    /// Calls at a time in all, until their replies are written; more wait.
    pub calls: usize,
    /// For a call that has arrived, waiting for its turn included.
    pub call: Duration,
    /// Bytes of one message, either way.
    pub frame: usize,
    /// Bytes of all requests that are being read or answered, beyond the first 64 KiB of each; a request waits for its
    /// share.
    pub memory: usize,
    /// Without a request, a connection is closed.
    pub idle: Duration,
    /// To read a request once it began, to wait for its share of memory, and to write the reply.
    pub transfer: Duration,
    /// For calls under way when the server stops.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            calls: 256,
            call: Duration::from_secs(120),
            frame: MAX_FRAME,
            memory: 16 * MAX_FRAME,
            idle: Duration::from_secs(300),
            transfer: Duration::from_secs(30),
            grace: Duration::from_secs(5),
        }
    }
}
