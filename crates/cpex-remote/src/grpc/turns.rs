//! Calls take turns: how many at a time, and how long.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::http::{Request, Response};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::service::Routes;
use tonic::{Code, Status};
use tower_service::Service;

use crate::backend::Refusal;
use crate::http::{BoxBody, Denied, Guard, Intake, Limits, NotTaken, keep};

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
    intake: Intake,
    calls: Arc<Semaphore>,
    limits: Limits,
    refused: Arc<dyn Fn(Refusal) + Send + Sync>,
    stopping: Arc<AtomicBool>,
}

/// What comes before a message: whether it is compressed, and how long it is.
const PREFIX: usize = 5;

type Answer = Pin<Box<dyn Future<Output = Result<Response<BoxBody>, Infallible>> + Send>>;

fn refuse(status: Status) -> Answer {
    Box::pin(async move { Ok(status.into_http().map(|body: tonic::body::Body| keep(body, ()))) })
}

/// Nothing was done: another server, or this one later, may be asked.
fn not_now(why: &str) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert(PUSHBACK, MetadataValue::from_static(PUSHBACK_MS));
    Status::with_metadata(Code::Unavailable, why, metadata)
}

fn late() -> Status {
    Status::deadline_exceeded("the call took longer than the server allows")
}

impl Turns {
    /// `refused` is told what is not taken.
    pub(super) fn new(
        services: Routes,
        guard: Guard,
        limits: Limits,
        stopping: Arc<AtomicBool>,
        refused: impl Fn(Refusal) + Send + Sync + 'static,
    ) -> Self {
        let (guard, refused) = (Arc::new(guard), Arc::new(refused));
        let calls = Arc::new(Semaphore::new(limits.calls.min(Semaphore::MAX_PERMITS)));
        Self { services, guard, intake: Intake::new(limits, PREFIX), calls, limits, refused, stopping }
    }

    fn not_taken(&self, why: NotTaken) -> Status {
        match why {
            NotTaken::Memory => {
                (self.refused)(Refusal::Memory);
                not_now("there is no memory for the call now: it was not delivered")
            }
            NotTaken::TooLarge(limit) => {
                (self.refused)(Refusal::Size);
                Status::out_of_range(format!("a message of more than {limit} bytes is not taken"))
            }
            NotTaken::BrokenOff => Status::cancelled("the call broke off"),
            NotTaken::Late => Status::deadline_exceeded("the call did not arrive in time"),
        }
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
        let limit = self.limits.call;
        if !request.uri().path().starts_with(COUNTED) {
            let answer = self.services.call(request);
            return Box::pin(async move {
                let answer = timeout(limit, answer).await.unwrap_or_else(|_| Ok(late().into_http()))?;
                Ok(answer.map(|body| keep(body, ())))
            });
        }
        if self.stopping.load(Ordering::Relaxed) {
            return refuse(not_now("the server is stopping: the call was not delivered"));
        }
        let mut this = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            // A call has its turn once it is there: who sends slowly keeps nobody waiting.
            let (body, memory) = match this.intake.receive(body).await {
                Ok(received) => received,
                Err(not_taken) => return refuse(this.not_taken(not_taken)).await,
            };
            let in_turn = async {
                let turn = this.calls.clone().acquire_owned().await.ok();
                (this.services.call(Request::from_parts(parts, Full::new(body))).await, turn)
            };
            let (answer, turn) =
                timeout(limit, in_turn).await.unwrap_or_else(|_| (Ok(late().into_http()), None));
            // The answer counts as well, until the peer has taken it.
            Ok(answer?.map(|body| keep(body, (memory, turn))))
        })
    }
}
