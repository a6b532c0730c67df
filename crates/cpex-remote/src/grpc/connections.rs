//! The connections of a server: how many, how long, how much at a time.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::service::Routes;
use tower_service::Service;

use super::config::Limits;
use super::connector::Stream;
use super::server::Listener;
use crate::backend::{Backend, Event, Refusal};

/// After the system refused a connection, as it does when no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Calls of these are counted; health is asked for even when no call more is taken.
const COUNTED: &str = "/cpex.PluginService/";

/// What every connection is let into.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) services: Routes,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) limits: Limits,
}

pub(super) struct Connections<B> {
    backend: Arc<B>,
    door: Door,
    calls: Arc<Semaphore>,
}

/// A connection was ended by the server, or broke.
#[derive(Debug, Error)]
enum Ended {
    #[error("no TLS handshake within {}s", .0.as_secs_f64())]
    Slow(Duration),
    #[error("TLS handshake failed: {0}")]
    Tls(std::io::Error),
    #[error(transparent)]
    Http(hyper::Error),
}

impl<B: Backend> Connections<B> {
    pub(super) fn new(backend: Arc<B>, door: Door) -> Self {
        let calls = Arc::new(Semaphore::new(door.limits.calls.min(Semaphore::MAX_PERMITS)));
        Self { backend, door, calls }
    }

    /// Lets peers in until `stop` ends, then waits for calls under way.
    pub(super) async fn serve(self, listener: Listener, stop: impl Future<Output = ()>) {
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
                        connections.spawn(self.converse(stream, stopped.clone()));
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
        stream: Box<dyn Stream>,
        stopped: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + use<B> {
        let (backend, door, calls) = (self.backend.clone(), self.door.clone(), self.calls.clone());
        async move {
            backend.observe(&Event::Opened);
            let ended = door.converse(stream, calls, stopped).await;
            let error = ended.as_ref().err().map(|error| error as &(dyn std::error::Error + 'static));
            backend.observe(&Event::Closed(error));
        }
    }
}

impl Door {
    async fn converse(
        self,
        stream: Box<dyn Stream>,
        calls: Arc<Semaphore>,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), Ended> {
        let Self { services, tls, limits } = self;
        let stream: Box<dyn Stream> = match tls {
            None => stream,
            Some(tls) => match timeout(limits.handshake, tls.accept(stream)).await {
                Ok(shaken) => Box::new(shaken.map_err(Ended::Tls)?),
                Err(_) => return Err(Ended::Slow(limits.handshake)),
            },
        };
        let (active, mut watched) = watch::channel(0);
        let service = TowerToHyperService::new(Counted { services, active: Arc::new(active), calls, limits });
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.keepalive)
            .keep_alive_timeout(limits.keepalive)
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(limits.headers)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let patience = tokio::select! {
            biased;
            ended = connection.as_mut() => return ended.map_err(Ended::Http),
            _ = stopped.wait_for(|stopped| *stopped) => limits.call,
            () = idle(&mut watched, limits.idle) => limits.handshake,
        };
        connection.as_mut().graceful_shutdown();
        timeout(patience, connection).await.unwrap_or(Ok(())).map_err(Ended::Http)
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

/// Services whose calls are counted, on their connection and in all.
#[derive(Clone)]
struct Counted {
    services: Routes,
    active: Arc<watch::Sender<usize>>,
    calls: Arc<Semaphore>,
    limits: Limits,
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

impl Service<Request<Incoming>> for Counted {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Incoming>>::poll_ready(&mut self.services, context)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let counted = request.uri().path().starts_with(COUNTED);
        let answer = self.services.call(request);
        let (calls, limit, active) = (self.calls.clone(), self.limits.call, Active::new(self.active.clone()));
        Box::pin(async move {
            let _active = active;
            if !counted {
                return answer.await;
            }
            let in_turn = async {
                match calls.acquire().await {
                    Ok(_permit) => answer.await,
                    Err(_) => Ok(Status::unavailable("the server is stopping").into_http()),
                }
            };
            match timeout(limit, in_turn).await {
                Ok(answer) => answer,
                Err(_) => {
                    Ok(Status::deadline_exceeded("the call took longer than the server allows").into_http())
                }
            }
        })
    }
}
