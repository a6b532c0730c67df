//! The connections of a server: how many, how long, and their end.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::http::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_service::Service;

use super::body::{BoxBody, keep};
use super::config::Limits;
use super::connector::Stream;
#[cfg(feature = "grpc")]
use super::gathered::Gathered;
use super::identity::Peer;
use super::listener::Listener;
use crate::backend::{Backend, Event, Refusal};
use crate::task::{self, Executor};

/// After the system refused a connection, as it does when no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The versions of HTTP that a server speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Versions {
    /// HTTP/2 alone.
    #[cfg(feature = "grpc")]
    Two,
    /// HTTP/1.1 as well; the first bytes tell.
    #[cfg(feature = "mcp")]
    Both,
}

/// What every connection is let into.
#[derive(Clone)]
pub(crate) struct Door<S> {
    pub(crate) service: S,
    pub(crate) versions: Versions,
    pub(crate) limits: Limits,
}

/// Serves connections, and tells a backend of them.
pub(crate) struct Connections<B, S> {
    pub(crate) backend: Arc<B>,
    pub(crate) door: Door<S>,
}

/// A connection was ended by the server, or broke.
#[derive(Debug, Error)]
enum Ended {
    #[error("no TLS handshake within {}s", .0.as_secs_f64())]
    Slow(Duration),
    #[error("TLS handshake failed: {0}")]
    Tls(std::io::Error),
    #[error(transparent)]
    Http(Box<dyn Error + Send + Sync>),
}

/// Something a connection can be asked to answer.
pub(crate) trait Answers:
    Service<Request<Incoming>, Response = Response<BoxBody>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Incoming>, Response = Response<BoxBody>, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static
{
}

impl<B: Backend, S: Answers> Connections<B, S> {
    /// Lets peers in until `stop` ends, then waits for what is under way.
    pub(crate) async fn serve(self, listener: Listener, stop: impl Future<Output = ()>) {
        let limits = self.door.limits;
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok(stream) if connections.len() < limits.connections => {
                        connections.spawn(task::spawn(self.converse(&listener, stream, stopped.clone())));
                    }
                    Ok(_) => self.backend.observe(&Event::Refused(Refusal::Connections)),
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
        drop(listener);
        // Nobody listens if there is no connection.
        let _ = stopping.send(true);
        let drained = timeout(limits.grace, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            connections.shutdown().await;
        }
    }

    fn converse(
        &self,
        listener: &Listener,
        stream: Box<dyn Stream>,
        stopped: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + use<B, S> {
        let (backend, door, tls) = (self.backend.clone(), self.door.clone(), listener.tls.clone());
        async move {
            backend.observe(&Event::Opened);
            let shaken = match tls {
                None => Ok((stream, Peer::default())),
                Some(tls) => match timeout(door.limits.handshake, tls.accept(stream)).await {
                    Ok(Ok(shaken)) => {
                        let peer = Peer::of(shaken.get_ref().1);
                        Ok((Box::new(shaken) as Box<dyn Stream>, peer))
                    }
                    Ok(Err(error)) => Err(Ended::Tls(error)),
                    Err(_) => Err(Ended::Slow(door.limits.handshake)),
                },
            };
            let ended = match shaken {
                Ok((stream, peer)) => door.converse(stream, peer, stopped).await,
                Err(error) => Err(error),
            };
            let error = ended.as_ref().err().map(|error| error as &(dyn Error + 'static));
            backend.observe(&Event::Closed(error));
        }
    }
}

impl<S: Answers> Door<S> {
    async fn converse(
        self,
        stream: Box<dyn Stream>,
        peer: Peer,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), Ended> {
        let Self { service, versions, limits } = self;
        let (active, mut watched) = watch::channel(0);
        let service = TowerToHyperService::new(Counted { service, peer, active: Arc::new(active) });
        match versions {
            #[cfg(feature = "grpc")]
            Versions::Two => {
                let mut http = hyper::server::conn::http2::Builder::new(Executor);
                http.timer(TokioTimer::new())
                    .keep_alive_interval(limits.keepalive)
                    .keep_alive_timeout(limits.keepalive)
                    .max_concurrent_streams(limits.streams)
                    .max_header_list_size(limits.headers);
                let mut connection =
                    pin!(http.serve_connection(TokioIo::new(Gathered::new(stream)), service));
                let patience = tokio::select! {
                    biased;
                    ended = connection.as_mut() => return ended.map_err(|error| Ended::Http(error.into())),
                    patience = had_enough(&mut watched, &mut stopped, limits) => patience,
                };
                connection.as_mut().graceful_shutdown();
                let ended = timeout(patience, connection).await.unwrap_or(Ok(()));
                ended.map_err(|error| Ended::Http(error.into()))
            }
            #[cfg(feature = "mcp")]
            Versions::Both => {
                let mut http = hyper_util::server::conn::auto::Builder::new(Executor);
                http.http1()
                    .timer(TokioTimer::new())
                    .header_read_timeout(limits.handshake)
                    .max_buf_size(usize::try_from(limits.headers).unwrap_or(usize::MAX).max(MIN_BUFFER));
                http.http2()
                    .timer(TokioTimer::new())
                    .keep_alive_interval(limits.keepalive)
                    .keep_alive_timeout(limits.keepalive)
                    .max_concurrent_streams(limits.streams)
                    .max_header_list_size(limits.headers);
                let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
                let patience = tokio::select! {
                    biased;
                    ended = connection.as_mut() => return ended.map_err(Ended::Http),
                    patience = had_enough(&mut watched, &mut stopped, limits) => patience,
                };
                connection.as_mut().graceful_shutdown();
                timeout(patience, connection).await.unwrap_or(Ok(())).map_err(Ended::Http)
            }
        }
    }
}

/// The smallest buffer that hyper reads headers into.
#[cfg(feature = "mcp")]
const MIN_BUFFER: usize = 8192;

/// Returns when a connection is to end, with the time its last answers have.
async fn had_enough(
    watched: &mut watch::Receiver<usize>,
    stopped: &mut watch::Receiver<bool>,
    limits: Limits,
) -> Duration {
    tokio::select! {
        biased;
        _ = stopped.wait_for(|stopped| *stopped) => limits.call,
        () = idle(watched, limits.idle) => limits.handshake,
    }
}

/// Returns when there was no call for as long as `limit`.
async fn idle(active: &mut watch::Receiver<usize>, limit: Duration) {
    while active.wait_for(|active| *active == 0).await.is_ok() {
        if timeout(limit, active.changed()).await.is_err() {
            return;
        }
    }
}

/// A service that is told who asks, and whose answers are counted, from the first byte of the request to the last of the answer.
#[derive(Clone)]
struct Counted<S> {
    service: S,
    peer: Peer,
    active: Arc<watch::Sender<usize>>,
}

/// A call under way on a connection.
struct Active(Arc<watch::Sender<usize>>);

impl Active {
    fn new(active: Arc<watch::Sender<usize>>) -> Self {
        active.send_modify(|active| *active += 1);
        Self(active)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.send_modify(|active| *active -= 1);
    }
}

impl<S: Answers> Service<Request<Incoming>> for Counted<S> {
    type Response = Response<BoxBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<BoxBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        let active = Active::new(self.active.clone());
        let answer = self.service.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| keep(body, active))) })
    }
}
