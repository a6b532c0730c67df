//! Serves a backend.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::UnixStream;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer as StandardHealthServer;
use tonic_reflection::server::Builder;

use super::PROTOCOLS;
use super::authority::Mended;
use super::config::ServerConfig;
use super::health::Condition;
use super::service::Plugins;
use super::turns::Turns;
use crate::backend::{Backend, Event};
use crate::http::{Connections, Door, Guard, Listener, StartError, Stream, Versions};
use crate::wire::DESCRIPTORS;
use crate::wire::health_server::HealthServer;
use crate::wire::plugin_service_server::PluginServiceServer;

/// A server that listens. Peers that connect wait until it [serves](Self::serve).
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    listener: Listener,
}

/// Bytes of a question about the server, which anybody may ask.
const SMALL: usize = 16 * 1024;

fn reflection() -> Builder<'static> {
    Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
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
        let ServerConfig { target, tls, plaintext, access, .. } = &config;
        let listener = Listener::bind(target, tls.as_ref(), *plaintext, access, PROTOCOLS, mended).await?;
        Ok(Self { config, listener })
    }

    /// The address of a server over TCP.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` ends, then lets calls under way finish for `limits.grace`.
    ///
    /// Besides the plugins it serves `cpex.Health` and `grpc.health.v1.Health`, which say whether calls are taken, and
    /// reflection. A call that comes too late is not taken, and told so: `UNAVAILABLE`, with a delay after which it may be
    /// tried again.
    pub async fn serve<B: Backend>(self, backend: Arc<B>, stop: impl Future<Output = ()>) {
        let Self { config, listener } = self;
        let limits = config.limits;
        let plugins = Plugins { backend: backend.clone(), numbers: config.numbers, limit: limits.message };
        let stopping = Arc::new(AtomicBool::new(false));
        let condition = Condition { backend: backend.clone(), stopping: stopping.clone() };
        let mut services = Routes::new(
            PluginServiceServer::new(plugins)
                .max_decoding_message_size(limits.message)
                .max_encoding_message_size(limits.message),
        )
        .add_service(HealthServer::new(condition.clone()).max_decoding_message_size(SMALL))
        .add_service(StandardHealthServer::new(condition).max_decoding_message_size(SMALL));
        // The descriptors are part of this program, and a test reads them.
        if let (Ok(current), Ok(older)) = (reflection().build_v1(), reflection().build_v1alpha()) {
            services = services
                .add_service(current.max_decoding_message_size(SMALL))
                .add_service(older.max_decoding_message_size(SMALL));
        }
        let guard = Guard::new(config.access, listener.is_local());
        let told = backend.clone();
        let refused = move |refusal| told.observe(&Event::Refused(refusal));
        let service = Turns::new(services.prepare(), guard, limits, stopping.clone(), refused);
        let stop = async {
            stop.await;
            stopping.store(true, Ordering::Relaxed);
        };
        let door = Door { service, versions: Versions::Two, limits };
        Connections { backend, door }.serve(listener, stop).await;
    }
}
