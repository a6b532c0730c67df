//! Makes connections.

#[cfg(feature = "grpc")]
use std::future::Future;
use std::io;
#[cfg(feature = "grpc")]
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::addresses::connect_to_any;
use super::config::Target;
use super::reach::Reach;
use crate::tls::ClientTls;

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
    pub(crate) tls: Option<ClientTls>,
    /// What is offered in a TLS handshake (ALPN).
    pub(crate) protocols: &'static [&'static [u8]],
    /// Which addresses the target's name may stand for.
    pub(crate) reach: Reach,
}

impl Connector {
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let address = match &self.target {
            Target::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Target::Tcp(address) => address,
        };
        let host = address.rsplit_once(':').map_or(&**address, |(host, _)| host).trim_matches(['[', ']']);
        let addresses = self.reach.within(host, lookup_host(address).await?)?;
        let stream = connect_to_any(addresses.into_iter(), TcpStream::connect).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls.clone() else { return Ok(Box::new(stream)) };
        let protocols = self.protocols;
        // To open an encrypted key takes a while.
        let config = spawn_blocking(move || tls.load(protocols)).await?.map_err(io::Error::other)?;
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
    }
}

/// A channel of gRPC connects again and again.
#[cfg(feature = "grpc")]
impl tower_service::Service<hyper::http::Uri> for Connector {
    type Response = hyper_util::rt::TokioIo<Box<dyn Stream>>;
    type Error = NotConnected;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NotConnected>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), NotConnected>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: hyper::http::Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { Ok(hyper_util::rt::TokioIo::new(connector.connect().await?)) })
    }
}
