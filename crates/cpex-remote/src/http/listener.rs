//! Where a server listens.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::{TcpListener, UnixListener, UnixStream, lookup_host};

use super::access::Access;
use super::config::{Plaintext, Target};
use super::connector::Stream;
use crate::listen::{BindError, SocketFile, listen};
use crate::tls::{ClientAuth, Renewed, ServerTls, TlsError};

/// A server cannot start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot listen.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody could be let in.
    #[error("names of clients are listed, but TLS asks clients for no certificate")]
    ClientsWithoutCertificates,
    /// A token that anybody could guess, or nobody could show.
    #[error("the token that peers are to show is empty or has characters other than visible ASCII")]
    Token,
    /// TLS is for TCP.
    #[error("TLS configuration is not supported for Unix domain sockets")]
    TlsOnSocket,
    /// Others could read and change what goes over the net.
    #[error(
        "refusing to serve without TLS on {0}, which other machines reach: set up TLS or allow plaintext there"
    )]
    PublicPlaintext(SocketAddr),
}

/// Can it be shown in a header, as it is?
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Listens, and shakes hands where there is TLS.
pub(crate) struct Listener {
    socket: Socket,
    pub(super) tls: Option<Arc<Renewed>>,
    /// What is made of a connection on a Unix socket.
    unix: fn(UnixStream) -> Box<dyn Stream>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: SocketFile },
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("socket", &self.socket).field("tls", &self.tls.is_some()).finish()
    }
}

impl Listener {
    /// Begins to listen; `protocols` are accepted in a TLS handshake.
    pub(crate) async fn bind(
        target: &Target,
        tls: Option<&ServerTls>,
        plaintext: Plaintext,
        access: &Access,
        protocols: &'static [&'static [u8]],
        unix: fn(UnixStream) -> Box<dyn Stream>,
    ) -> Result<Self, StartError> {
        let asks = tls.is_some_and(|tls| tls.clients != ClientAuth::None);
        if !asks && !access.clients.is_empty() {
            return Err(StartError::ClientsWithoutCertificates);
        }
        if access.token.as_ref().is_some_and(|token| !is_token(token.reveal())) {
            return Err(StartError::Token);
        }
        let tls = tls.map(|tls| Renewed::load(tls, protocols)).transpose()?.map(Arc::new);
        let socket = match target {
            Target::Unix(_) if tls.is_some() => return Err(StartError::TlsOnSocket),
            Target::Unix(path) => {
                let (listener, file) = listen(path)?;
                Socket::Unix { listener, _file: file }
            }
            Target::Tcp(address) => {
                let failed = |source| BindError::Io { address: address.clone(), source };
                let found: Vec<_> = lookup_host(address).await.map_err(failed)?.collect();
                let public = found.iter().find(|address| !address.ip().is_loopback());
                match (public, &tls, plaintext) {
                    (Some(public), None, Plaintext::Loopback) => {
                        return Err(StartError::PublicPlaintext(*public));
                    }
                    _ => Socket::Tcp(TcpListener::bind(&*found).await.map_err(failed)?),
                }
            }
        };
        Ok(Self { socket, tls, unix })
    }

    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Socket::Unix { listener, .. } => (self.unix)(listener.accept().await?.0),
        })
    }

    /// The address of a server over TCP.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix { .. } => None,
        }
    }

    /// Only this machine reaches it.
    pub(crate) fn is_local(&self) -> bool {
        self.local_addr().is_none_or(|address| address.ip().is_loopback())
    }
}
