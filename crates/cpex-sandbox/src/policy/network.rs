//! What may be connected to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What a child may connect to. It can never listen, nor use other protocols than TCP, unless it is `All`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Network {
    /// Nothing: it cannot even make a socket, but for a pair of its own.
    #[default]
    None,
    /// Loopback addresses of the host (`127.0.0.0/8`, `::1`), any port.
    Loopback,
    /// These, and nothing else.
    Hosts(Vec<Endpoint>),
    /// The host's network, without raw sockets and sockets of the file system.
    All,
}

impl Network {
    /// Names of listed hosts, but for `localhost`, which everyone knows.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let endpoints = if let Self::Hosts(endpoints) = self { endpoints.as_slice() } else { &[] };
        endpoints.iter().filter_map(|endpoint| match &endpoint.host {
            Host::Name(name) if name != LOCALHOST => Some(name.as_str()),
            _ => None,
        })
    }
}

/// The name that stands for loopback addresses everywhere.
pub(crate) const LOCALHOST: &str = "localhost";

/// A host and a port that may be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: Host,
    /// Its TCP port.
    pub port: u16,
}

/// A host of an [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// Resolved by the host at each connection; the child never asks a name server.
    Name(String),
    /// An address, as it is.
    Address(IpAddr),
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("`{text}` {why}: write `host:port`, as `api.example.com:443` or `[::1]:8080`")
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(|| {
            if is_loopback(text) {
                format!(
                    "`{text}` has no port: write `localhost:8080`, or `network: loopback` in place of the list for every port"
                )
            } else {
                wrong("has no port")
            }
        })?;
        let port =
            port.parse::<u16>().ok().filter(|&port| port > 0).ok_or_else(|| wrong("has no valid port"))?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match bracketed {
            Some(inner) => Host::Address(inner.parse::<IpAddr>().map_err(|_| wrong("has no valid address"))?),
            None => match host.parse::<IpAddr>() {
                Ok(address @ IpAddr::V4(_)) => Host::Address(address),
                Ok(IpAddr::V6(_)) => return Err(wrong("has an address without brackets")),
                Err(_) if is_name(host) => Host::Name(host.to_ascii_lowercase()),
                Err(_) => return Err(wrong("has no valid host name")),
            },
        };
        Ok(Self { host, port })
    }
}

/// This machine, by a name or an address that everyone knows.
fn is_loopback(host: &str) -> bool {
    [LOCALHOST, "loopback"].contains(&host) || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Letters, digits, `-`, `_` and dots: it is written into a hosts file, so nothing else gets in.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    // A name of digits and dots only is a misspelt address.
    host.len() <= 253 && host.split('.').all(label) && host.bytes().any(|byte| byte.is_ascii_alphabetic())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            Host::Address(address) => write!(f, "{address}:{}", self.port),
        }
    }
}
