//! Serves a backend over HTTP.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::SERVER_PROTOCOLS;
use super::config::{ServerConfig, Sessions};
use super::desk::Desk;
use super::gate::{Gate, House};
use super::sessions::Book;
use crate::backend::Backend;
use crate::http::{Connections, Door, Guard, Intake, Listener, StartError, Versions};

/// A server that listens. Peers that connect wait until it [serves](Self::serve).
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    listener: Listener,
}

impl Server {
    /// Begins to listen.
    ///
    /// # Errors
    /// If it cannot listen there, may not without TLS, or TLS cannot be set up.
    pub async fn bind(config: ServerConfig) -> Result<Self, StartError> {
        let ServerConfig { target, tls, plaintext, access, .. } = &config;
        let listener = Listener::bind(target, tls.as_ref(), *plaintext, access, SERVER_PROTOCOLS, |stream| {
            Box::new(stream)
        })
        .await?;
        Ok(Self { config, listener })
    }

    /// The address of a server over TCP.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` ends, then lets calls under way finish for `limits.grace`.
    ///
    /// Besides the endpoint there are `/health`, `/ready` and `/metrics` (see [`Backend`]). All but the first two ask
    /// who asks ([`Access`](super::Access)).
    pub async fn serve<B: Backend>(self, backend: Arc<B>, stop: impl Future<Output = ()>) {
        let Self { config, listener } = self;
        let limits = config.limits;
        let house = Arc::new(House {
            desk: Desk::new(backend.clone(), limits.message, limits.call, limits.calls),
            guard: Guard::new(config.access, listener.is_local()),
            path: config.path,
            sessions: match config.sessions {
                Sessions::Kept { most, idle } => Some(Book::new(most, idle)),
                Sessions::None => None,
            },
            intake: Intake::new(limits, 0),
            stopping: AtomicBool::new(false),
        });
        let door = Door { service: Gate::new(house.clone()), versions: Versions::Both, limits };
        let stop = async {
            stop.await;
            house.stopping.store(true, Ordering::Relaxed);
        };
        Connections { backend, door }.serve(listener, stop).await;
    }
}
