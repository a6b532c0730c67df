//! Connections to a server over HTTP/1.1, kept for the next request.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::http::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tokio_io_timeout::TimeoutWriter;

use super::config::Connections;
use crate::error::root_cause;
use crate::http::Connector;
use crate::task;

type Sender = SendRequest<Full<Bytes>>;

/// Connections to one server.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    connections: Connections,
    /// The one that was used last comes last.
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    sender: Sender,
    since: Instant,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// No connection could be made, or it closed before the request was on its way.
    Unsent(io::Error),
    /// The request was on its way.
    Sent(io::Error),
}

/// A connection whose answer is being read.
#[derive(Debug)]
pub(super) struct Busy {
    pool: Arc<Pool>,
    sender: Sender,
}

impl Busy {
    /// The whole answer was read: the connection can be used again.
    pub(super) fn done(self) {
        let Self { pool, sender } = self;
        let Connections { idle: most, expiry, .. } = pool.connections;
        let mut idle = pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.since.elapsed() < expiry);
        if idle.len() < most {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }
}

impl Pool {
    pub(super) fn new(connector: Connector, connections: Connections) -> Arc<Self> {
        Arc::new(Self { connector, connections, idle: Mutex::default() })
    }

    /// Sends a request. A connection that closes before it is on its way is replaced.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Busy), Broken> {
        loop {
            let (mut sender, fresh) = match self.take().await {
                Some(kept) => (kept, false),
                None => (self.open().await.map_err(Broken::Unsent)?, true),
            };
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, Busy { pool: self.clone(), sender })),
                Err(mut refused) => match refused.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    Some(_) => return Err(Broken::Unsent(plain(&refused.into_error()))),
                    None => {
                        self.forget(Instant::now());
                        return Err(Broken::Sent(plain(&refused.into_error())));
                    }
                },
            }
        }
    }

    /// Closes what has not been used since: what became of one connection is likely true of all.
    pub(super) fn forget(&self, since: Instant) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).retain(|kept| kept.since >= since);
    }

    /// A connection that was kept and that the server has not closed.
    async fn take(&self) -> Option<Sender> {
        loop {
            let Idle { mut sender, since } =
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if since.elapsed() < self.connections.expiry && sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn open(&self) -> io::Result<Sender> {
        let mut stream = TimeoutWriter::new(self.connector.connect().await?);
        stream.set_timeout(Some(self.connections.write));
        let stream = TokioIo::new(Box::pin(stream));
        let (sender, connection) = handshake(stream).await.map_err(|error| plain(&error))?;
        // What breaks it is told to whoever waits for an answer.
        task::spawn(async move { connection.await.unwrap_or(()) }).detach();
        Ok(sender)
    }
}

/// What broke a connection.
pub(super) fn plain(error: &hyper::Error) -> io::Error {
    io::Error::other(root_cause(error))
}
