//! What a server serves.

use std::future::Future;
use std::time::Duration;
#[cfg(any(feature = "_http", feature = "unix"))]
use std::time::Instant;

use thiserror::Error;

use crate::json::Json;
#[cfg(any(feature = "_http", feature = "unix"))]
use crate::message::Outcome;
use crate::message::{Call, Reply};

/// The plugins behind a server.
///
/// A call is dropped when its caller is gone, and so is the future that answers it: work that must not be cut off
/// belongs in a task of the backend's own.
pub trait Backend: Send + Sync + 'static {
    /// The configurations of all plugins, each an object.
    ///
    /// # Errors
    /// If they cannot be had now.
    fn configs(&self) -> impl Future<Output = Result<Vec<Json>, Failure>> + Send;

    /// The configuration of the plugin with this name in any case; `None` if there is no such plugin.
    ///
    /// # Errors
    /// If it cannot be had now.
    fn config(&self, name: &str) -> impl Future<Output = Result<Option<Json>, Failure>> + Send;

    /// Runs a hook. A plugin's own failure is a [`Reply`] with [`Outcome::Error`](crate::Outcome::Error).
    ///
    /// # Errors
    /// If the call could not be brought to a plugin.
    fn invoke(&self, call: Call) -> impl Future<Output = Result<Reply, Failure>> + Send;

    /// May calls be sent here? What a server says at `/ready`, over gRPC as `grpc.health.v1`, and to an MCP `ping`, until
    /// it stops.
    fn is_ready(&self) -> bool {
        true
    }

    /// Will it be able to answer again? What a server over HTTP says at `/health`: one that is not is to be restarted.
    fn is_alive(&self) -> bool {
        true
    }

    /// What a server over HTTP says at `/metrics`: the text format of Prometheus. `None` if nothing is measured.
    fn metrics(&self) -> Option<String> {
        None
    }

    /// Told as it happens, for metrics and logs. Returns at once.
    fn observe(&self, event: &Event<'_>) {
        let _ = event;
    }
}

/// A backend could not do what it was asked. The message reaches the peer: it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// What a server has to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A peer connected.
    Opened,
    /// A connection ended; `None` if nothing was wrong with it.
    Closed(Option<&'a (dyn std::error::Error + 'static)>),
    /// A peer that connected was not let in: there is no TLS with it.
    Handshake(&'a (dyn std::error::Error + 'static)),
    /// The files of TLS have changed: connections from now on are made with them. If they cannot be used, why not; then
    /// connections go on being made with what was in them before.
    Renewed(Option<&'a (dyn std::error::Error + 'static)>),
    /// A connection or a message was not taken.
    Refused(Refusal),
    /// A call ended.
    Invoked {
        /// The hook.
        hook: &'a str,
        /// The plugin.
        plugin: &'a str,
        /// From the whole request to the reply of the backend.
        took: Duration,
        /// How it ended.
        end: End,
    },
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With a result.
    Result,
    /// With an error, the plugin's or the server's.
    Error,
    /// The caller went away first.
    Abandoned,
}

/// Why a server did not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// As many connections as are allowed are open.
    Connections,
    /// A message larger than allowed was announced.
    Size,
    /// The messages being read and answered fill the memory set aside for them.
    Memory,
    /// As many sessions as there may be have requests under way.
    Sessions,
}

/// A call under way; told to the backend when it ends, however it ends.
#[cfg(any(feature = "_http", feature = "unix"))]
pub(crate) struct Running<'b, B: Backend> {
    backend: &'b B,
    hook: String,
    plugin: String,
    began: Instant,
    end: End,
}

#[cfg(any(feature = "_http", feature = "unix"))]
impl<'b, B: Backend> Running<'b, B> {
    pub(crate) fn new(backend: &'b B, hook: &str, plugin: &str) -> Self {
        let (hook, plugin) = (hook.to_owned(), plugin.to_owned());
        Self { backend, hook, plugin, began: Instant::now(), end: End::Abandoned }
    }

    pub(crate) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// It ended with this reply.
    pub(crate) fn end(mut self, reply: &Reply) {
        self.end = match reply.outcome {
            Outcome::Result(_) => End::Result,
            Outcome::Error(_) => End::Error,
        };
    }
}

#[cfg(any(feature = "_http", feature = "unix"))]
impl<B: Backend> Drop for Running<'_, B> {
    fn drop(&mut self) {
        let Self { hook, plugin, end, .. } = self;
        self.backend.observe(&Event::Invoked { hook, plugin, took: self.began.elapsed(), end: *end });
    }
}
