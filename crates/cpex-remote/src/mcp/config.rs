//! What a client and a server are told.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hyper::http::Uri;

use super::place::Place;
use super::program::Program;
use crate::addresses::Addresses;
use crate::http::{Access, Limits, MAX_MESSAGE, Plaintext, Target};
use crate::secret::Secret;
use crate::tls::{ClientTls, ServerTls};

/// Where and how to serve over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where to listen. A socket's directory must exist; port 0 is any that is free.
    pub target: Target,
    /// The path of the endpoint.
    pub path: String,
    /// TLS over TCP.
    pub tls: Option<ServerTls>,
    /// Where to serve without TLS.
    pub plaintext: Plaintext,
    /// Whom to answer.
    pub access: Access,
    /// What is remembered of peers.
    pub sessions: Sessions,
    /// What peers may ask of the server.
    pub limits: Limits,
}

impl ServerConfig {
    /// The defaults, at the path `/mcp`.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            path: "/mcp".to_owned(),
            tls: None,
            plaintext: Plaintext::default(),
            access: Access::default(),
            sessions: Sessions::default(),
            limits: Limits::default(),
        }
    }
}

/// What a server remembers of its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// A session for each, until the peer ends it. A peer whose session is forgotten begins another one.
    Kept {
        /// Sessions at a time. For one more, that which was not used for longest is forgotten, but none with requests under
        /// way: if all have, there is no other session for now.
        most: usize,
        /// A session that is not used for so long is forgotten.
        idle: Duration,
    },
    /// Nothing: replicas behind one address can share the requests. A call is given up by closing its connection.
    None,
}

impl Default for Sessions {
    fn default() -> Self {
        Self::Kept { most: 4096, idle: Duration::from_secs(3600) }
    }
}

/// How to serve over the standard streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StdioConfig {
    /// Calls at a time; more wait.
    pub calls: usize,
    /// Bytes of one message, either way.
    pub message: usize,
    /// For a call, waiting for its turn included.
    pub call: Duration,
    /// For calls under way when the server stops.
    pub grace: Duration,
}

impl Default for StdioConfig {
    fn default() -> Self {
        let Limits { calls, message, call, grace, .. } = Limits::default();
        Self { calls, message, call, grace }
    }
}

/// How to reach a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// The server.
    pub endpoint: Endpoint,
    /// For a whole call, connecting included.
    pub timeout: Duration,
    /// How often connecting is tried again within a call.
    pub reconnect_attempts: usize,
    /// Before the first of these attempts; the next ones wait longer, up to 5 s.
    pub reconnect_delay: Duration,
    /// How many calls may be under way at a time; more wait.
    pub calls: usize,
    /// For a call to get its turn.
    pub turn: Duration,
    /// Bytes of one message, either way.
    pub message: usize,
}

impl ClientConfig {
    /// The defaults.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            timeout: Duration::from_secs(30),
            reconnect_attempts: 3,
            reconnect_delay: Duration::from_millis(100),
            calls: 128,
            turn: Duration::MAX,
            message: MAX_MESSAGE,
        }
    }
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// It is reached over HTTP.
    Http(Http),
    /// It is a child of this process.
    Stdio(Program),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let http = match self {
            Self::Http(http) => http,
            Self::Stdio(program) => return f.write_str(&program.name()),
        };
        // What follows may be a key.
        f.write_str(http.url.split(['?', '#']).next().unwrap_or_default())?;
        match (&http.socket, http.address) {
            (Some(path), _) => write!(f, " (uds={})", path.display()),
            (None, Some(address)) => write!(f, " ({})", address.ip()),
            (None, None) => Ok(()),
        }
    }
}

/// A server over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// `http://host:port/path` or `https://…`.
    pub url: String,
    /// Where the host of `url` is. If it is not said, its name is looked up for every connection.
    pub address: Option<SocketAddr>,
    /// Where the host of `url` may be.
    pub addresses: Addresses,
    /// Where to connect to instead of the URL's host and port; without TLS.
    pub socket: Option<PathBuf>,
    /// TLS, if the URL begins with `https`; its files are read for every connection.
    pub tls: ClientTls,
    /// Shown to the server with every request.
    pub token: Option<Secret>,
    /// How connections are made and kept.
    pub connections: Connections,
}

/// How connections to a server over HTTP are made and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// For one to be made: the look-up of the name, and the handshake of TLS.
    pub connect: Duration,
    /// For the server to take the next bytes of a request.
    pub write: Duration,
    /// How many are kept without a call.
    pub idle: usize,
    /// For how long.
    pub expiry: Duration,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            write: Duration::from_secs(30),
            idle: 100,
            expiry: Duration::from_secs(30),
        }
    }
}

impl Http {
    /// A server that anybody may ask, believed on the word of the system's authorities.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            address: None,
            addresses: Addresses::Any,
            socket: None,
            tls: ClientTls::default(),
            token: None,
            connections: Connections::default(),
        }
    }

    /// Where the host may be: this machine by its own name, whatever else is allowed.
    pub(crate) fn allowed(&self) -> Addresses {
        match self.url.parse::<Uri>() {
            Ok(url) if url.host().is_some_and(|host| host.eq_ignore_ascii_case("localhost")) => {
                Addresses::Any
            }
            _ => self.addresses,
        }
    }

    /// Would the token go where others could read it: without TLS, and to another machine?
    #[must_use]
    pub fn shows_token(&self) -> bool {
        match Place::of(self) {
            Ok(place) => self.token.is_some() && !place.is_secure && !place.target.is_local(),
            // It cannot be reached.
            Err(_) => false,
        }
    }

    /// `host:port`, if the host has a name and is not known to be elsewhere.
    pub(crate) fn name(&self) -> Option<String> {
        match (self.address, Place::of(self)) {
            (None, Ok(place)) => place.target.name(),
            _ => None,
        }
    }
}
