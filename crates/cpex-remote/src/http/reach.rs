//! Which addresses a name may stand for: one that a stranger chose may stand for a machine of the private network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Which addresses the name of a server may stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Any.
    #[default]
    Anywhere,
    /// Those of public networks. The name `localhost` may stand for this machine.
    Public,
}

impl Reach {
    /// The addresses of `host` that may be connected to, which are those that were looked up: no second look-up can
    /// bring others.
    pub(super) fn within(
        self,
        host: &str,
        addresses: impl Iterator<Item = SocketAddr>,
    ) -> io::Result<Vec<SocketAddr>> {
        let addresses: Vec<_> = addresses.collect();
        if self == Self::Anywhere || host.eq_ignore_ascii_case("localhost") {
            return Ok(addresses);
        }
        match addresses.iter().find(|address| is_private(address.ip())) {
            Some(private) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{host} stands for {}, which is blocked by SSRF protection", private.ip()),
            )),
            None => Ok(addresses),
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    let is_private_v4 = |address: Ipv4Addr| {
        address.is_private() || address.is_loopback() || address.is_link_local() || address.is_unspecified()
    };
    match address.to_canonical() {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unspecified()
                || address.is_unique_local()
                || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests;
