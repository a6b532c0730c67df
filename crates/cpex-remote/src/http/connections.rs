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
use tokio_rustls::TlsAcceptor;
use tower_service::Service;

use super::body::BoxBody;
use super::calls::{Answer, Call, Calls};
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
    #[error("the peer took no answer within {}s", .0.as_secs_f64())]
    Stalled(Duration),
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
        let (crowding, crowded) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next() => {
                    let is_roomy = connections.len() < limits.connections - limits.connections / 4;
                    crowding.send_if_modified(|crowded| is_roomy && std::mem::take(crowded));
                }
                accepted = listener.accept() => match accepted {
                    Ok(stream) if connections.len() < limits.connections => {
                        let ends = [&stopped, &crowded].map(Clone::clone);
                        connections.spawn(task::spawn(self.converse(&listener, stream, ends)));
                    }
                    Ok(_) => {
                        crowding.send_if_modified(|crowded| !std::mem::replace(crowded, true));
                        self.backend.observe(&Event::Refused(Refusal::Connections));
                    }
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
        ends: [watch::Receiver<bool>; 2],
    ) -> impl Future<Output = ()> + Send + use<B, S> {
        let (backend, door, tls) = (self.backend.clone(), self.door.clone(), listener.tls.clone());
        async move {
            backend.observe(&Event::Opened);
            let shaken = match tls {
                None => Ok((stream, Peer::default())),
                Some(tls) => {
                    let (config, renewed) = tls.now();
                    if let Some(renewed) = renewed {
                        let problem = renewed.as_ref().err().map(|error| error as &(dyn Error + 'static));
                        backend.observe(&Event::Renewed(problem));
                    }
                    let shaking = TlsAcceptor::from(config).accept(stream);
                    match timeout(door.limits.handshake, shaking).await {
                        Ok(Ok(shaken)) => {
                            let peer = Peer::of(shaken.get_ref().1);
                            Ok((Box::new(shaken) as Box<dyn Stream>, peer))
                        }
                        Ok(Err(error)) => Err(Ended::Tls(error)),
                        Err(_) => Err(Ended::Slow(door.limits.handshake)),
                    }
                }
            };
            let ended = match shaken {
                Ok((stream, peer)) => door.converse(stream, peer, ends).await,
                Err(error) => {
                    backend.observe(&Event::Handshake(&error));
                    Ok(())
                }
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
        [stopped, crowded]: [watch::Receiver<bool>; 2],
    ) -> Result<(), Ended> {
        let Self { service, versions, limits } = self;
        let calls = Arc::new(Calls::default());
        let service = TowerToHyperService::new(Counted { service, peer, calls: calls.clone() });
        let mut watch = Watch { calls, stopped, crowded, limits };
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
                    patience = watch.had_enough() => patience,
                };
                let Some(patience) = patience else { return Err(Ended::Stalled(limits.transfer)) };
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
                    patience = watch.had_enough() => patience,
                };
                let Some(patience) = patience else { return Err(Ended::Stalled(limits.transfer)) };
                connection.as_mut().graceful_shutdown();
                timeout(patience, connection).await.unwrap_or(Ok(())).map_err(Ended::Http)
            }
        }
    }
}

/// The smallest buffer that hyper reads headers into.
#[cfg(feature = "mcp")]
const MIN_BUFFER: usize = 8192;

/// What ends a connection.
struct Watch {
    calls: Arc<Calls>,
    stopped: watch::Receiver<bool>,
    crowded: watch::Receiver<bool>,
    limits: Limits,
}

impl Watch {
    /// Returns when a connection is to end, with the time its last answers have; none if its peer takes none.
    async fn had_enough(&mut self) -> Option<Duration> {
        let Self { calls, stopped, crowded, limits } = self;
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => Some(limits.call),
            () = calls.idle(crowded.clone(), limits.idle, limits.handshake) => Some(limits.handshake),
            () = calls.stalled(limits.transfer) => None,
        }
    }
}

/// A service that is told who asks, and whose calls are counted, from the first byte of the request to the last of the
/// answer.
#[derive(Clone)]
struct Counted<S> {
    service: S,
    peer: Peer,
    calls: Arc<Calls>,
}

impl<S: Answers> Service<Request<Incoming>> for Counted<S> {
    type Response = Response<Answer<BoxBody>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        let call = Call::begin(self.calls.clone());
        let answer = self.service.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| call.answered(body))) })
    }
}
