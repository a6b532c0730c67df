//! Makes a connection for the channel, again and again.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::spawn_blocking;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::codegen::http::Uri;
use tower_service::Service;

use super::config::Target;
use crate::tls::ClientTls;

/// HTTP/2, as TLS calls it.
pub(super) const PROTOCOLS: &[&[u8]] = &[b"h2"];

/// A connection could not be made, so no call is on its way.
#[derive(Debug, Error)]
#[error(transparent)]
pub(super) struct NotConnected(#[from] pub(super) io::Error);

/// What every kind of connection can do.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

#[derive(Clone, Debug)]
pub(super) struct Connector {
    pub(super) target: Target,
    pub(super) tls: Option<ClientTls>,
}

impl Connector {
    async fn connect(self) -> io::Result<Box<dyn Stream>> {
        let address = match self.target {
            Target::Unix(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Target::Tcp(address) => address,
        };
        let stream = TcpStream::connect(&address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls else { return Ok(Box::new(stream)) };
        // To open an encrypted key takes a while.
        let config = spawn_blocking(move || tls.load(PROTOCOLS)).await?.map_err(io::Error::other)?;
        let host = address.rsplit_once(':').map_or(&*address, |(host, _)| host);
        let name =
            ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Stream>>;
    type Error = NotConnected;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NotConnected>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NotConnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async { Ok(TokioIo::new(connector.connect().await?)) })
    }
}
