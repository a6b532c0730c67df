//! An axum service whose tools are guarded by hooks. A denial becomes the HTTP status that its plugin asks for, a
//! failure 500; `/metrics` is for Prometheus; SIGINT and SIGTERM end it when the last request is answered.
//!
//! `curl localhost:8080/tools/search -H 'content-type: application/json' -d '{"query": "cpex"}'`

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cpex::hooks::{TOOL_POST_INVOKE, TOOL_PRE_INVOKE, ToolPostInvoke, ToolPreInvoke};
use cpex::{BoxError, Context, InvokeError, Manager, PluginContext, Reply, Violation, plugin};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};

/// What a request can end with that is not the tool's answer.
enum Refused {
    /// A plugin said no.
    Denied(Violation),
    /// A plugin failed: the request is refused all the same.
    Failed(InvokeError),
}

impl From<Violation> for Refused {
    fn from(violation: Violation) -> Self {
        Self::Denied(violation)
    }
}

impl From<InvokeError> for Refused {
    fn from(error: InvokeError) -> Self {
        Self::Failed(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Denied(violation) => {
                let status = violation.http_status_code.and_then(|status| StatusCode::from_u16(status).ok());
                let body = json!({"code": violation.code, "reason": violation.reason});
                let mut response = (status.unwrap_or(StatusCode::FORBIDDEN), Json(body)).into_response();
                for (name, value) in violation.http_headers.into_iter().flat_map(|headers| *headers) {
                    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
                    {
                        response.headers_mut().insert(name, value);
                    }
                }
                response
            }
            Self::Failed(error) => {
                tracing::error!(%error, "a request could not be checked");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// Keeps tools away that nobody may call, and tells apart how often each tenant may call the others.
struct Guard {
    calls: Mutex<HashMap<String, u32>>,
    limit: u32,
}

#[plugin]
impl Guard {
    #[hook(TOOL_PRE_INVOKE)]
    fn check(&self, call: &ToolPreInvoke, context: &mut PluginContext) -> Reply<ToolPreInvoke> {
        if call.name == "shell" {
            return Reply::deny(Violation::new("TOOL_DENIED", "not here").http_status(403));
        }
        let tenant = context.request().tenant_id.clone().unwrap_or_default();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = calls.entry(tenant).or_default();
        *calls += 1;
        if *calls <= self.limit {
            return Reply::allow();
        }
        let violation =
            Violation::new("LIMIT", "no calls left").http_status(429).http_header("retry-after", "60");
        Reply::deny(violation)
    }
}

async fn tool(
    State(manager): State<Manager>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(args): Json<Map<String, Value>>,
) -> Result<Json<Value>, Refused> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    let context = Context::new(header("x-request-id")).user(header("x-user")).tenant(header("x-tenant"));
    let call = ToolPreInvoke { args: Some(args), ..ToolPreInvoke::new(name) };
    let call = manager.invoke(&TOOL_PRE_INVOKE, &call, &context).await?.into_payload(call)?;
    if call.name == "slow" {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let answer = ToolPostInvoke { result: json!({"tool": call.name, "given": call.args}), name: call.name };
    let answer = manager.invoke(&TOOL_POST_INVOKE, &answer, &context).await?.into_payload(answer)?;
    Ok(Json(answer.result))
}

/// Resolves when the service is to end.
async fn asked_to_end() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let prometheus = PrometheusBuilder::new().install_recorder()?;
    let guard = Guard { calls: Mutex::default(), limit: 100 };
    let manager = Manager::builder().plugin("guard", guard).start().await?;
    let app = Router::new()
        .route("/tools/{name}", post(tool))
        .route("/metrics", get(async move || prometheus.render()))
        .with_state(manager.clone());
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(asked_to_end()).await?;
    manager.shutdown().await;
    println!("ended");
    Ok(())
}
