//! A name that stands for several addresses.

use std::future::{Future, pending};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::sleep;

#[cfg(test)]
mod tests;

/// Which addresses a client connects to, whatever name stands for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// All.
    #[default]
    Any,
    /// None of a private network, of this machine or of its link. What is checked is the address that is connected to, so
    /// a name that changes what it stands for gains nothing.
    Public,
}

impl Addresses {
    /// Connects to an address if it is one of them.
    pub(crate) async fn connect(self, address: SocketAddr) -> io::Result<TcpStream> {
        if !self.allow(address.ip()) {
            let why = format!("{} is an address of a private network", address.ip());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        TcpStream::connect(address).await
    }

    fn allow(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::Any, _) => true,
            (Self::Public, IpAddr::V4(address)) => {
                let [first, second, ..] = address.octets();
                let is_shared = first == 100 && (64..128).contains(&second);
                !(address.is_private()
                    || address.is_loopback()
                    || address.is_link_local()
                    || first == 0
                    || is_shared)
            }
            (Self::Public, IpAddr::V6(address)) => {
                !(address.is_loopback()
                    || address.is_unspecified()
                    || address.is_unique_local()
                    || address.is_unicast_link_local())
            }
        }
    }
}

/// An address that does not answer for so long is given company (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// The first connection that comes about: each address is tried as soon as the one before has failed, or is slow.
pub(crate) async fn connect_to_any<C, F: Future<Output = io::Result<C>>>(
    addresses: impl Iterator<Item = SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<C> {
    let mut addresses = addresses.fuse();
    let mut under_way = FuturesUnordered::new();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name stands for no address");
    let mut next = addresses.next();
    loop {
        under_way.extend(next.take().map(&connect));
        if under_way.is_empty() {
            return Err(failed);
        }
        let slow = async {
            match addresses.size_hint() {
                (_, Some(0)) => pending().await,
                _ => sleep(HEAD_START).await,
            }
        };
        tokio::select! {
            biased;
            Some(ended) = under_way.next() => match ended {
                Ok(connection) => return Ok(connection),
                Err(error) => failed = error,
            },
            () = slow => {}
        }
        next = addresses.next();
    }
}
