//! Serves a backend.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UnixStream;
use tonic::service::Routes;

use super::PROTOCOLS;
use super::authority::Mended;
use super::config::ServerConfig;
use super::service::{Alive, Plugins};
use super::turns::Turns;
use crate::backend::Backend;
use crate::http::{Connections, Door, Guard, Listener, StartError, Stream, Versions};
use crate::wire::health_server::HealthServer;
use crate::wire::plugin_service_server::PluginServiceServer;

/// A server that listens. Peers that connect wait until it [serves](Self::serve).
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    listener: Listener,
}

fn mended(stream: UnixStream) -> Box<dyn Stream> {
    Box::new(Mended::new(stream))
}

impl Server {
    /// Begins to listen.
    ///
    /// # Errors
    /// If it cannot listen there, may not without TLS, or TLS cannot be set up.
    pub async fn bind(config: ServerConfig) -> Result<Self, StartError> {
        let listener =
            Listener::bind(&config.target, config.tls.as_ref(), config.plaintext, PROTOCOLS, mended).await?;
        Ok(Self { config, listener })
    }

    /// The address of a server over TCP.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` ends, then lets calls under way finish for `limits.grace`.
    ///
    /// Besides the plugins it serves `cpex.Health` and `grpc.health.v1.Health`.
    pub async fn serve<B: Backend>(self, backend: Arc<B>, stop: impl Future<Output = ()>) {
        let Self { config, listener } = self;
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
        let service = Turns::new(services, Guard::new(config.access, listener.is_local()), limits);
        let door = Door { service, versions: Versions::Two, limits };
        Connections { backend, door }.serve(listener, stop).await;
    }
}
