//! Calls take turns: how many at a time, and how long.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::Incoming;
use hyper::http::{Request, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::Status;
use tonic::service::Routes;
use tower_service::Service;

use crate::http::{BoxBody, Denied, Guard, Limits, keep};

/// Calls of these take turns; health is asked for even when no call more is taken.
const COUNTED: &str = "/cpex.PluginService/";

/// Services, for those who may ask.
#[derive(Clone)]
pub(super) struct Turns {
    services: Routes,
    guard: Arc<Guard>,
    calls: Arc<Semaphore>,
    limits: Limits,
}

impl Turns {
    pub(super) fn new(services: Routes, guard: Guard, limits: Limits) -> Self {
        let calls = Arc::new(Semaphore::new(limits.calls.min(Semaphore::MAX_PERMITS)));
        Self { services, guard: Arc::new(guard), calls, limits }
    }

    fn check(&self, request: &Request<Incoming>) -> Result<(), Denied> {
        let headers = request.headers();
        // No page speaks gRPC, and clients of a socket call it by its path: its name counts only if it is asked for.
        if self.guard.lists_hosts() {
            self.guard.check_host(request.uri(), headers)?;
        }
        self.guard.check_origin(headers)?;
        match request.uri().path().starts_with(COUNTED) {
            true => self.guard.check_token(headers),
            false => Ok(()),
        }
    }
}

impl Service<Request<Incoming>> for Turns {
    type Response = Response<BoxBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<BoxBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<Incoming>>::poll_ready(&mut self.services, context)
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        if let Err(denied) = self.check(&request) {
            let refused = match denied {
                Denied::Host | Denied::Origin => Status::permission_denied(denied.message()),
                Denied::Token => Status::unauthenticated(denied.message()),
            };
            return Box::pin(
                async move { Ok(refused.into_http().map(|body: tonic::body::Body| keep(body, ()))) },
            );
        }
        let counted = request.uri().path().starts_with(COUNTED);
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
