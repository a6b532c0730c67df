//! A name that stands for several addresses.

use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::sleep;

#[cfg(test)]
mod tests;

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
