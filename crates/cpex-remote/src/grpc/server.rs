//! Serves a backend.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::{TcpListener, UnixListener, lookup_host};
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;

use super::authority::Mended;
use super::config::{Plaintext, ServerConfig, Target};
use super::connections::{Connections, Door};
use super::connector::{PROTOCOLS, Stream};
use super::service::{Alive, Plugins};
use crate::backend::Backend;
use crate::listen::{BindError, SocketFile, listen};
use crate::tls::TlsError;
use crate::wire::health_server::HealthServer;
use crate::wire::plugin_service_server::PluginServiceServer;

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
    /// TLS is for TCP.
    #[error("TLS configuration is not supported for Unix domain sockets")]
    TlsOnSocket,
    /// Others could read and change what goes over the net.
    #[error(
        "refusing to serve without TLS on {0}, which other machines reach: set up TLS or allow plaintext there"
    )]
    PublicPlaintext(SocketAddr),
}

/// A server that listens. Peers that connect wait until it [serves](Self::serve).
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    listener: Listener,
    tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
}

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: SocketFile },
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Self::Unix { listener, .. } => Box::new(Mended::new(listener.accept().await?.0)),
        })
    }
}

impl Server {
    /// Begins to listen.
    ///
    /// # Errors
    /// If it cannot listen there, may not without TLS, or TLS cannot be set up.
    pub async fn bind(config: ServerConfig) -> Result<Self, StartError> {
        let tls = config.tls.as_ref().map(|tls| tls.load(PROTOCOLS)).transpose()?.map(Arc::new);
        let listener = match &config.target {
            Target::Unix(_) if tls.is_some() => return Err(StartError::TlsOnSocket),
            Target::Unix(path) => {
                let (listener, file) = listen(path)?;
                Listener::Unix { listener, _file: file }
            }
            Target::Tcp(address) => {
                let failed = |source| BindError::Io { address: address.clone(), source };
                let found: Vec<_> = lookup_host(address).await.map_err(failed)?.collect();
                let public = found.iter().find(|address| !address.ip().is_loopback());
                match (public, &tls, config.plaintext) {
                    (Some(public), None, Plaintext::Loopback) => {
                        return Err(StartError::PublicPlaintext(*public));
                    }
                    _ => Listener::Tcp(TcpListener::bind(&*found).await.map_err(failed)?),
                }
            }
        };
        Ok(Self { config, listener, tls })
    }

    /// The address of a server over TCP.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix { .. } => None,
        }
    }

    /// Serves until `stop` ends, then lets calls under way finish for `limits.grace`.
    ///
    /// Besides the plugins it serves `cpex.Health` and `grpc.health.v1.Health`.
    pub async fn serve<B: Backend>(self, backend: Arc<B>, stop: impl Future<Output = ()>) {
        let Self { config, listener, tls } = self;
        let limits = config.limits;
        let plugins = Plugins { backend: backend.clone(), numbers: config.numbers, limit: limits.message };
        let (health, standard_health) = tonic_health::server::health_reporter();
        health.set_serving::<PluginServiceServer<Plugins<B>>>().await;
        let services = Routes::new(
            PluginServiceServer::new(plugins)
                .max_decoding_message_size(limits.message)
                .max_encoding_message_size(limits.message),
        )
        .add_service(HealthServer::new(Alive))
        .add_service(standard_health)
        .prepare();
        let door = Door { services, tls: tls.map(TlsAcceptor::from), limits };
        Connections::new(backend, door).serve(listener, stop).await;
    }
}
