//! Connections to a server over HTTP/1.1, kept for the next request.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::http::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::error::root_cause;
use crate::http::Connector;
use crate::task;

type Sender = SendRequest<Full<Bytes>>;

/// Connections to one server.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    idle: Mutex<Vec<Sender>>,
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
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.sender);
    }
}

impl Pool {
    pub(super) fn new(connector: Connector) -> Arc<Self> {
        Arc::new(Self { connector, idle: Mutex::default() })
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
                    None => return Err(Broken::Sent(plain(&refused.into_error()))),
                },
            }
        }
    }

    /// A connection that was kept and that the server has not closed.
    async fn take(&self) -> Option<Sender> {
        loop {
            let mut sender = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    async fn open(&self) -> io::Result<Sender> {
        let stream = self.connector.connect().await?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| plain(&error))?;
        // What breaks it is told to whoever waits for an answer.
        task::spawn(async move { connection.await.unwrap_or(()) }).detach();
        Ok(sender)
    }
}

/// What broke a connection.
pub(super) fn plain(error: &hyper::Error) -> io::Error {
    io::Error::other(root_cause(error))
}
