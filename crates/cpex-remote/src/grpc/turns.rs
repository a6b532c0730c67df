//! Calls take turns: how many at a time, and how long.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::http::{Request, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::service::Routes;
use tonic::{Code, Status};
use tower_service::Service;

use crate::http::{BoxBody, Denied, Guard, Limits, keep};

/// Calls of these take turns.
const COUNTED: &str = "/cpex.PluginService/";
/// These anybody may ask, even when no call more is taken.
const HEALTH: [&str; 2] = ["/cpex.Health/", "/grpc.health.v1.Health/"];
/// A server says by it that a call may be tried again, and when.
pub(super) const PUSHBACK: &str = "grpc-retry-pushback-ms";
const PUSHBACK_MS: &str = "1000";

/// Services, for those who may ask.
#[derive(Clone)]
pub(super) struct Turns {
    services: Routes,
    guard: Arc<Guard>,
    calls: Arc<Semaphore>,
    limits: Limits,
    stopping: Arc<AtomicBool>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<BoxBody>, Infallible>> + Send>>;

fn refuse(status: Status) -> Answer {
    Box::pin(async move { Ok(status.into_http().map(|body: tonic::body::Body| keep(body, ()))) })
}

impl Turns {
    pub(super) fn new(services: Routes, guard: Guard, limits: Limits, stopping: Arc<AtomicBool>) -> Self {
        let calls = Arc::new(Semaphore::new(limits.calls.min(Semaphore::MAX_PERMITS)));
        Self { services, guard: Arc::new(guard), calls, limits, stopping }
    }

    fn check(&self, request: &Request<Incoming>) -> Result<(), Denied> {
        let headers = request.headers();
        // No page speaks gRPC, and clients of a socket call it by its path: its name counts only if it is asked for.
        if self.guard.lists_hosts() {
            self.guard.check_host(request.uri(), headers)?;
        }
        self.guard.check_origin(headers)?;
        match HEALTH.iter().any(|service| request.uri().path().starts_with(service)) {
            true => Ok(()),
            false => self.guard.check_peer(headers, request.extensions()),
        }
    }
}

impl Service<Request<Incoming>> for Turns {
    type Response = Response<BoxBody>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Incoming>>::poll_ready(&mut self.services, context)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        if let Err(denied) = self.check(&request) {
            let refused = match denied {
                Denied::Host | Denied::Origin | Denied::Client => Status::permission_denied(denied.message()),
                Denied::Token => Status::unauthenticated(denied.message()),
            };
            return refuse(refused);
        }
        let counted = request.uri().path().starts_with(COUNTED);
        if counted && self.stopping.load(Ordering::Relaxed) {
            let mut metadata = MetadataMap::new();
            metadata.insert(PUSHBACK, MetadataValue::from_static(PUSHBACK_MS));
            let why = "the server is stopping: the call was not delivered";
            return refuse(Status::with_metadata(Code::Unavailable, why, metadata));
        }
        let answer = self.services.call(request);
        let (calls, limit) = (self.calls.clone(), self.limits.call);
        Box::pin(async move {
            let in_turn = async {
                let _permit = match counted {
                    true => Some(calls.acquire().await),
                    false => None,
                };
                answer.await
            };
            let answer = match timeout(limit, in_turn).await {
                Ok(answer) => answer?,
                Err(_) => {
                    Status::deadline_exceeded("the call took longer than the server allows").into_http()
                }
            };
            Ok(answer.map(|body| keep(body, ())))
        })
    }
}
