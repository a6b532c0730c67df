//! Makes connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::lookup_host;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::config::Target;
use crate::addresses::{Addresses, connect_to_any};
use crate::reconnect::connect_unix;
use crate::tls::{ClientTls, Trust};

/// A connection could not be made, so no call is on its way.
#[cfg(feature = "grpc")]
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct NotConnected(#[from] pub(crate) io::Error);

/// What every kind of connection can do.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) target: Target,
    /// Where the host of the target is; looked up for every connection if it is not said.
    pub(crate) address: Option<SocketAddr>,
    /// Those that it may be at.
    pub(crate) addresses: Addresses,
    pub(crate) tls: Option<ClientTls>,
    pub(crate) trust: Trust,
    /// What is offered in a TLS handshake (ALPN).
    pub(crate) protocols: &'static [&'static [u8]],
    /// For a connection to be made: the look-up of the name, and the handshake of TLS.
    pub(crate) within: Duration,
}

impl Connector {
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let late =
            |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {:?}", self.within));
        timeout(self.within, self.connect_at_all()).await.map_err(late)?
    }

    async fn connect_at_all(&self) -> io::Result<Box<dyn Stream>> {
        let name = match &self.target {
            Target::Unix(path) => return Ok(Box::new(connect_unix(path).await?)),
            Target::Tcp(name) => name,
        };
        let stream = match self.address {
            Some(address) => self.addresses.connect(address).await?,
            None => {
                connect_to_any(lookup_host(name).await?, |address| self.addresses.connect(address)).await?
            }
        };
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls.clone() else { return Ok(Box::new(stream)) };
        let (protocols, trust) = (self.protocols, self.trust);
        // To open an encrypted key takes a while.
        let config =
            spawn_blocking(move || tls.load_with(protocols, trust)).await?.map_err(io::Error::other)?;
        let host = name.rsplit_once(':').map_or(&**name, |(host, _)| host);
        let name =
            ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
    }
}
