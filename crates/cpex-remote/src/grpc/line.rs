//! The connection that the calls of a client share, and whether it is alive.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::http::Uri;
use hyper_util::rt::TokioIo;
use tokio_util::io::InspectReader;
use tonic::transport::{Channel, Endpoint};
use tower_service::Service;

use crate::http::{Connector, Gathered, NotConnected};

/// Makes the connection, and makes it again when it is lost or a call has waited for it in vain.
#[derive(Debug)]
pub(super) struct Line {
    endpoint: Endpoint,
    connector: Connector,
    connection: Mutex<Option<Connection>>,
}

#[derive(Clone, Debug)]
struct Connection {
    channel: Channel,
    pulse: Pulse,
}

/// How often something was heard of the server.
#[derive(Clone, Debug, Default)]
struct Pulse(Arc<AtomicUsize>);

impl Pulse {
    fn beats(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Line {
    pub(super) fn new(endpoint: Endpoint, connector: Connector) -> Self {
        Self { endpoint, connector, connection: Mutex::default() }
    }

    /// Begins to wait for an answer. Needs a tokio runtime. Whoever gives up sooner than after `patience` says nothing of
    /// the connection.
    pub(super) fn wait(&self, patience: Duration) -> Waiting<'_> {
        let connection = self.connection().get_or_insert_with(|| self.open()).clone();
        let heard = connection.pulse.beats();
        Waiting { line: self, connection, heard, late: Instant::now().checked_add(patience), answered: false }
    }

    fn open(&self) -> Connection {
        let pulse = Pulse::default();
        let dial = Dial { connector: self.connector.clone(), pulse: pulse.clone() };
        Connection { channel: self.endpoint.connect_with_connector_lazy(dial), pulse }
    }

    /// Calls that are under way on it keep it; the next ones have another.
    fn leave(&self, silent: &Connection) {
        let mut connection = self.connection();
        if connection.as_ref().is_some_and(|current| Arc::ptr_eq(&current.pulse.0, &silent.pulse.0)) {
            *connection = None;
        }
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that waits. Given up when dropped.
pub(super) struct Waiting<'l> {
    line: &'l Line,
    connection: Connection,
    heard: usize,
    late: Option<Instant>,
    answered: bool,
}

impl Waiting<'_> {
    pub(super) fn channel(&self) -> Channel {
        self.connection.channel.clone()
    }

    /// There is an answer, or there will be none.
    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let is_late = self.late.is_some_and(|late| late <= Instant::now());
        if !self.answered && is_late && self.connection.pulse.beats() == self.heard {
            self.line.leave(&self.connection);
        }
    }
}

/// Told of all that is read.
type Hear = Box<dyn FnMut(&[u8]) + Send>;

/// Makes connections that are listened to.
#[derive(Clone)]
struct Dial {
    connector: Connector,
    pulse: Pulse,
}

impl Service<Uri> for Dial {
    type Response = TokioIo<InspectReader<Gathered, Hear>>;
    type Error = NotConnected;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NotConnected>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NotConnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { connector, pulse } = self.clone();
        Box::pin(async move {
            let stream = Gathered::new(connector.connect().await?);
            let hear: Hear = Box::new(move |_| pulse.beat());
            Ok(TokioIo::new(InspectReader::new(stream, hear)))
        })
    }
}
