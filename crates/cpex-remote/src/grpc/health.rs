//! Does the server take calls? Asked by both names: `cpex.Health` and `grpc.health.v1.Health`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, unfold};
use tokio::time::sleep;
use tonic::{Request, Response, Status};
use tonic_health::pb;

use crate::backend::Backend;
use crate::wire::health_check_response::ServingStatus;
use crate::wire::health_server::Health;
use crate::wire::{HealthCheckRequest, HealthCheckResponse};

/// Those who watch learn of a change within this time.
const LOOK: Duration = Duration::from_millis(500);

/// The service that takes calls; the server as a whole has no name.
const PLUGINS: &str = "cpex.PluginService";

/// The state of a server.
pub(super) struct Condition<B> {
    pub(super) backend: Arc<B>,
    pub(super) stopping: Arc<AtomicBool>,
}

impl<B> Clone for Condition<B> {
    fn clone(&self) -> Self {
        Self { backend: self.backend.clone(), stopping: self.stopping.clone() }
    }
}

impl<B: Backend> Condition<B> {
    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Its number is the same by both names.
    fn status(&self) -> i32 {
        let serving = !self.is_stopping() && self.backend.is_ready();
        (if serving { ServingStatus::Serving } else { ServingStatus::NotServing }).into()
    }
}

#[tonic::async_trait]
impl<B: Backend> Health for Condition<B> {
    async fn check(&self, _: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: self.status() }))
    }
}

#[tonic::async_trait]
impl<B: Backend> pb::health_server::Health for Condition<B> {
    type WatchStream = BoxStream<'static, Result<pb::HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Result<Response<pb::HealthCheckResponse>, Status> {
        match is_served(&request.get_ref().service) {
            true => Ok(Response::new(pb::HealthCheckResponse { status: self.status() })),
            false => Err(Status::not_found("there is no service of this name")),
        }
    }

    /// Ends when the server stops, so that nobody who watches holds it up.
    async fn watch(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = is_served(&request.get_ref().service);
        let unknown = pb::health_check_response::ServingStatus::ServiceUnknown as i32;
        let told = unfold((self.clone(), None), move |(server, last)| async move {
            loop {
                let (stopping, now) = (server.is_stopping(), if known { server.status() } else { unknown });
                if last != Some(now) {
                    return Some((Ok(pb::HealthCheckResponse { status: now }), (server, Some(now))));
                }
                if stopping {
                    return None;
                }
                sleep(LOOK).await;
            }
        });
        Ok(Response::new(told.boxed()))
    }
}

fn is_served(service: &str) -> bool {
    service.is_empty() || service == PLUGINS
}
