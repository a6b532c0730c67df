//! Where a child may connect to, and how it finds listed names without a name server.
//!
//! Each listed name has an address that leads nowhere, of ranges that are reserved. A hosts file tells the child; who
//! connects to such an address is connected to the name, resolved by the host at that moment.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::Path;

use rustix::io::Errno;
use tempfile::NamedTempFile;

use crate::policy::network::LOCALHOST;
use crate::{Endpoint, Host, Network};

/// What is listed, asked at each connection.
#[derive(Debug)]
pub(super) struct Allowed {
    /// `None`: every loopback address.
    endpoints: Option<Vec<Endpoint>>,
    /// The name number `n` has the address number `n + 1` of both ranges.
    names: Vec<String>,
}

impl Allowed {
    /// `None` if nothing is brokered.
    pub(super) fn new(network: &Network) -> Option<Self> {
        let endpoints = match network {
            Network::None | Network::All => return None,
            Network::Loopback => None,
            Network::Hosts(endpoints) => Some(endpoints.clone()),
        };
        let mut names: Vec<String> = network.names().map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Some(Self { endpoints, names })
    }

    /// The hosts file of the child, if it needs one.
    pub(super) fn hosts_file(&self, folder: &Path) -> io::Result<Option<NamedTempFile>> {
        if self.names.is_empty() {
            return Ok(None);
        }
        let mut text = format!("127.0.0.1 {LOCALHOST}\n::1 {LOCALHOST}\n");
        for (name, number) in self.names.iter().zip(1..) {
            let (four, six) = stand_ins(number);
            let _ = write!(text, "{four} {name}\n{six} {name}\n");
        }
        let file = tempfile::Builder::new().prefix("cpex-hosts-").tempfile_in(folder)?;
        std::fs::write(file.path(), text)?;
        Ok(Some(file))
    }

    /// The addresses that a connection to this one leads to, to be tried in order.
    pub(super) fn destinations(&self, wanted: SocketAddr) -> Result<Vec<SocketAddr>, Errno> {
        let address = wanted.ip().to_canonical();
        let Some(endpoints) = &self.endpoints else {
            return if address.is_loopback() { Ok(vec![wanted]) } else { Err(Errno::ACCESS) };
        };
        let stood_for = (1..).zip(&self.names).find(|&(number, _)| {
            let (four, six) = stand_ins(number);
            address == four || address == six
        });
        let listed =
            endpoints.iter().filter(|endpoint| endpoint.port == wanted.port()).any(|endpoint| {
                match (&endpoint.host, stood_for) {
                    (Host::Name(name), Some((_, stood_for))) => name == stood_for,
                    (Host::Name(name), None) => name == LOCALHOST && address.is_loopback(),
                    (Host::Address(listed), _) => listed.to_canonical() == address,
                }
            });
        match (listed, stood_for) {
            (false, _) => Err(Errno::ACCESS),
            (true, None) => Ok(vec![wanted]),
            (true, Some((_, name))) => resolve(name, wanted),
        }
    }
}

/// The addresses of a name that a socket made for `wanted` can connect to.
fn resolve(name: &str, wanted: SocketAddr) -> Result<Vec<SocketAddr>, Errno> {
    let found = (name, wanted.port()).to_socket_addrs().map_err(|error| {
        tracing::warn!(name, %error, "a listed host cannot be resolved");
        Errno::HOSTUNREACH
    })?;
    let mapped = wanted.is_ipv6() && wanted.ip().to_canonical().is_ipv4();
    let fits = found.filter_map(|address| match (address.ip(), wanted.ip()) {
        (IpAddr::V4(four), IpAddr::V6(_)) if mapped => {
            Some(SocketAddr::new(four.to_ipv6_mapped().into(), address.port()))
        }
        (IpAddr::V4(_), IpAddr::V4(_)) => Some(address),
        (IpAddr::V6(_), IpAddr::V6(_)) if !mapped => Some(address),
        _ => None,
    });
    let fits: Vec<_> = fits.collect();
    if fits.is_empty() { Err(Errno::NETUNREACH) } else { Ok(fits) }
}

/// Addresses of 198.18.0.0/15, kept for measurements (RFC 2544), and of fd00::/8, kept for private use (RFC 4193).
fn stand_ins(number: u16) -> (IpAddr, IpAddr) {
    let [high, low] = number.to_be_bytes();
    let four = Ipv4Addr::new(198, 18, high, low);
    let six = Ipv6Addr::new(0xfd63, 0x7065, 0x7800, 0, 0, 0, 0, number);
    (four.into(), six.into())
}
