//! What a client and a server are told.

use std::net::SocketAddr;
use std::time::Duration;

use crate::http::{Access, Limits, Plaintext, Target};
use crate::secret::Secret;
use crate::tls::{ClientTls, ServerTls};
use crate::wire::Numbers;

/// How to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// The server.
    pub target: Target,
    /// Where the host of `target` is. If it is not said, its name is looked up for every connection.
    pub address: Option<SocketAddr>,
    /// TLS over TCP; its files are read for every connection.
    pub tls: Option<ClientTls>,
    /// Shown to the server with every call.
    pub token: Option<Secret>,
    /// For a whole call, connecting included.
    pub timeout: Duration,
    /// For a connection to be made: the look-up of the name, and the handshake of TLS.
    pub connect_timeout: Duration,
    /// How often connecting is tried again within a call.
    pub reconnect_attempts: usize,
    /// Before the first of these attempts; the next ones wait longer.
    pub reconnect_delay: Duration,
    /// A connection on which calls wait is asked this often whether it is alive. Besides, a call that is given up late,
    /// and in whose time nothing was heard of the server, is the last one on its connection.
    pub keepalive: Duration,
    /// For the answer to that.
    pub keepalive_timeout: Duration,
    /// What becomes of whole numbers.
    pub numbers: Numbers,
}

impl ClientConfig {
    /// The defaults.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            address: None,
            tls: None,
            token: None,
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(2),
            reconnect_attempts: 3,
            reconnect_delay: Duration::from_millis(100),
            keepalive: Duration::from_secs(5),
            keepalive_timeout: Duration::from_secs(2),
            numbers: Numbers::default(),
        }
    }

    /// Would the token go where others could read it: without TLS, and to another machine?
    #[must_use]
    pub fn shows_token(&self) -> bool {
        self.token.is_some() && self.tls.is_none() && !self.target.is_local()
    }

    /// Where the server is, in words.
    pub(crate) fn place(&self) -> String {
        match self.address {
            Some(address) => format!("{} ({})", self.target, address.ip()),
            None => self.target.to_string(),
        }
    }
}

/// Where and how to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where to listen. A socket's directory must exist; port 0 is any that is free.
    pub target: Target,
    /// TLS over TCP.
    pub tls: Option<ServerTls>,
    /// Where to serve without TLS.
    pub plaintext: Plaintext,
    /// Whom to answer.
    pub access: Access,
    /// What peers may ask of the server.
    pub limits: Limits,
    /// What becomes of whole numbers.
    pub numbers: Numbers,
}

impl ServerConfig {
    /// The default limits.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            tls: None,
            plaintext: Plaintext::default(),
            access: Access::default(),
            limits: Limits::default(),
            numbers: Numbers::default(),
        }
    }
}
