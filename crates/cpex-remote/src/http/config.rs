//! Where a server is, and what peers may ask of it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The largest message, either way.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `host:port`.
    Tcp(String),
    /// A socket; never with TLS.
    Unix(PathBuf),
}

impl Target {
    /// Is it on this machine whatever a name stands for?
    pub(crate) fn is_local(&self) -> bool {
        let Self::Tcp(address) = self else { return true };
        let host = address.rsplit_once(':').map_or(&**address, |(host, _)| host).trim_matches(['[', ']']);
        let is_loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
        host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
    }

    /// `host:port`, if the host has a name.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Tcp(address) if address.parse::<SocketAddr>().is_err() => Some(address.clone()),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Where a server serves without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plaintext {
    /// To this machine only.
    #[default]
    Loopback,
    /// To whoever reaches it.
    Anywhere,
}

/// What peers may ask of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time. Further ones are closed at once, and those without a call make room soon.
    pub connections: usize,
    /// Calls at a time on one connection.
    pub streams: u32,
    /// Calls at a time in all: with `message`, what bounds memory.
    pub calls: usize,
    /// Bytes of one message, either way.
    pub message: usize,
    /// Bytes of one request's headers.
    pub headers: u32,
    /// For a call that has arrived, waiting for its turn included.
    pub call: Duration,
    /// For a request to get the memory it needs (in all, as much as `calls` of the largest size have, and 64 KiB for each
    /// of `connections`), and again for its body to arrive; and for a peer to take the answer.
    pub transfer: Duration,
    /// For a TLS handshake, and for the headers of a request over HTTP/1.1.
    pub handshake: Duration,
    /// Without a call, a connection is closed; after `handshake`, if there are as many as there may be.
    pub idle: Duration,
    /// A silent connection is asked this often whether it is alive, and has as long to answer.
    pub keepalive: Duration,
    /// For calls under way when the server stops.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            streams: 128,
            calls: 256,
            message: MAX_MESSAGE,
            headers: 16 * 1024,
            call: Duration::from_secs(120),
            transfer: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            keepalive: Duration::from_secs(30),
            grace: Duration::from_secs(5),
        }
    }
}
