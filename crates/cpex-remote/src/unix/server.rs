//! Serves a backend.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::config::ServerConfig;
use super::connection::Connection;
use crate::backend::{Backend, Event, Refusal};
use crate::listen::{BindError, SocketFile, listen};
use crate::task;

/// After the system refused a connection, as it does when no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server that listens. Peers that connect wait until it [serves](Self::serve).
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    listener: UnixListener,
    file: SocketFile,
}

/// What the connections of a server share.
pub(super) struct Shared<B> {
    pub(super) backend: Arc<B>,
    pub(super) config: ServerConfig,
    /// What is left of `limits.memory`, in units of [`MEMORY_UNIT`].
    pub(super) memory: Arc<Semaphore>,
    /// The turns of calls.
    pub(super) calls: Semaphore,
}

/// A semaphore counts in 32 bits; memory is handed out in pieces of this size.
pub(super) const MEMORY_UNIT: usize = 1024;

impl Server {
    /// Begins to listen: the socket is this user's only. Needs a tokio runtime.
    ///
    /// # Errors
    /// If the directory does not exist or is open to others, or the path is taken by a server or by another file.
    pub fn bind(config: ServerConfig) -> Result<Self, BindError> {
        let (listener, file) = listen(&config.path)?;
        Ok(Self { config, listener, file })
    }

    /// Serves until `stop` ends, then lets calls under way finish for `limits.grace` and removes the socket.
    pub async fn serve<B: Backend>(self, backend: Arc<B>, stop: impl Future<Output = ()>) {
        let Self { config, listener, file } = self;
        let limits = config.limits;
        let memory = Arc::new(Semaphore::new(limits.memory.max(limits.frame).div_ceil(MEMORY_UNIT)));
        let calls = Semaphore::new(limits.calls.min(Semaphore::MAX_PERMITS));
        let shared = Arc::new(Shared { backend, config, memory, calls });
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) if connections.len() < limits.connections => {
                        connections.spawn(task::spawn(converse(stream, shared.clone(), stopped.clone())));
                    }
                    Ok(_) => shared.backend.observe(&Event::Refused(Refusal::Connections)),
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
        drop(listener);
        drop(file);
        // Nobody listens if there is no connection.
        let _ = stopping.send(true);
        let drained = timeout(limits.grace, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            connections.shutdown().await;
        }
    }
}

async fn converse<B: Backend>(stream: UnixStream, shared: Arc<Shared<B>>, stopped: watch::Receiver<bool>) {
    shared.backend.observe(&Event::Opened);
    let ended = Connection::new(stream, &shared, stopped).run().await;
    let error = ended.as_ref().err().map(|error| error as &(dyn std::error::Error + 'static));
    shared.backend.observe(&Event::Closed(error));
}
