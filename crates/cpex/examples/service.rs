//! An axum service whose tools are guarded by hooks. `curl localhost:8080/tools/search -d '{"query": "cpex"}'`

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use cpex::hooks::{TOOL_POST_INVOKE, TOOL_PRE_INVOKE, ToolPostInvoke, ToolPreInvoke};
use cpex::{BoxError, Context, InvokeError, Manager, PluginContext, Reply, Violation};
use serde_json::{Map, Value, json};

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
                (status.unwrap_or(StatusCode::FORBIDDEN), Json(body)).into_response()
            }
            Self::Failed(error) => {
                tracing::error!(%error, "a request could not be checked");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

async fn tool(
    State(manager): State<Manager>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(args): Json<Map<String, Value>>,
) -> Result<Json<Value>, Refused> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    let context = Context::new(header("x-request-id")).user(header("x-user"));
    let call = ToolPreInvoke { args: Some(args), ..ToolPreInvoke::new(name) };
    let call = manager.invoke(&TOOL_PRE_INVOKE, &call, &context).await?.into_payload(call)?;
    let answer = ToolPostInvoke { result: json!({"tool": call.name, "given": call.args}), name: call.name };
    let answer = manager.invoke(&TOOL_POST_INVOKE, &answer, &context).await?.into_payload(answer)?;
    Ok(Json(answer.result))
}

/// The plugins of the service.
async fn guarded() -> Result<Manager, cpex::Error> {
    let no_shell = |call: &ToolPreInvoke, _: &mut PluginContext| match &*call.name {
        "shell" => Reply::deny(Violation::new("TOOL_DENIED", "not here").http_status(403)),
        _ => Reply::<ToolPreInvoke>::allow(),
    };
    Manager::builder().on(&TOOL_PRE_INVOKE, "no-shell", no_shell).start().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let manager = guarded().await?;
    let app = Router::new().route("/tools/{name}", post(tool)).with_state(manager.clone());
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) }).await?;
    manager.shutdown().await;
    Ok(())
}
