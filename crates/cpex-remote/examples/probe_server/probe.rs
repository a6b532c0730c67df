//! A backend with one plugin that does what the tool's name says, as `tests/peers/probe_plugin.py` does.

use std::time::Duration;

use cpex_remote::{Backend, Call, Failure, Json, Outcome, PluginError, Reply};
use serde_json::{Value, json};

/// The plugin's name.
const NAME: &str = "ProbePlugin";

/// The backend.
pub(crate) struct Probe;

impl Backend for Probe {
    async fn configs(&self) -> Result<Vec<Json>, Failure> {
        Ok(vec![text(&config())?])
    }

    async fn config(&self, name: &str) -> Result<Option<Json>, Failure> {
        name.eq_ignore_ascii_case(NAME).then(|| text(&config())).transpose()
    }

    async fn invoke(&self, call: Call) -> Result<Reply, Failure> {
        if call.plugin != NAME || call.hook != "tool_pre_invoke" {
            let missing = format!(
                "Unable to find {} for plugin {}.  Make sure the plugin is registered.",
                call.hook, call.plugin
            );
            return failed(&call.plugin, missing, "", json!({}));
        }
        let payload = value(&call.payload)?;
        let mut context = value(&call.context)?;
        let reply = match payload["name"].as_str().unwrap_or_default() {
            "modify" => {
                let mut args = payload["args"].clone();
                args["added"] = json!(1);
                args["f"] = json!(2.5);
                args["ünï"] = json!("✓");
                let changed = json!({"name": "modified", "args": args, "headers": null});
                result(json!({"modified_payload": changed, "metadata": {"modified": true}}))
            }
            "state" => {
                context["state"]["k"] = json!({"v": 1});
                context["metadata"]["m"] = json!("md");
                context["global_context"]["state"]["g"] = json!([1, 2]);
                result(json!({"metadata": {"seen": true}, "http_headers": {"X-A": "b"}, "retry_delay_ms": 7}))
            }
            "deny" => result(json!({"continue_processing": false, "metadata": null, "violation": {
                "reason": "no", "description": "blocked by probe", "code": "PROBE",
                "details": {"n": 1, "l": ["a", null, 1.5]},
                "mcp_error_code": -32001, "http_status_code": 403, "http_headers": {"X-P": "1"},
            }})),
            "measure" => result(json!({"continue_processing": false,
                "violation": {"reason": "no", "description": "", "code": "PROBE"},
                "denial_metadata": {"score": 0.5, "blocked": true, "matches": -3, "text": "personal"},
            })),
            "raise" => return failed(NAME, "RuntimeError('kaboom')", "", json!({})),
            "error" => return failed(NAME, "perr msg", "PERR", json!({"k": 1})),
            "extensions" => {
                let extensions = call.extensions.as_ref().map(value).transpose()?;
                result(json!({"modified_extensions": extensions}))
            }
            "echo" => result(json!({"modified_payload": payload})),
            "triple" => {
                let args = &payload["args"];
                result(json!({"modified_payload": {"name": "t", "args": [args, args, args]}}))
            }
            "shown" => {
                let extensions = call.extensions.as_ref().map(value).transpose()?;
                result(json!({"metadata": {"extensions": extensions}}))
            }
            "context" => result(json!({"metadata": {"context": context}})),
            "exit" => std::process::exit(1),
            "print" => {
                println!("printed by a plugin");
                result(json!({}))
            }
            "sleep" => {
                let seconds = payload["args"]["seconds"].as_f64().unwrap_or_default();
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                result(json!({}))
            }
            "refuse" => return Err(Failure("not now".to_owned())),
            _ => result(json!({})),
        };
        let context = Some(text(&context)?);
        Ok(Reply { plugin: NAME.to_owned(), outcome: Outcome::Result(text(&reply)?), context })
    }
}

fn config() -> Value {
    json!({
        "name": NAME, "description": "probe", "author": "me", "kind": "probe_plugin.ProbePlugin", "namespace": null,
        "version": "1.2.3", "hooks": ["tool_pre_invoke"], "tags": ["a", "b"], "mode": "sequential", "on_error": "fail",
        "priority": 42, "max_content_size": 10_000_000, "conditions": [], "applied_to": null, "capabilities": [],
        "config": {"alpha": 1}, "mcp": null, "grpc": null, "unix_socket": null,
    })
}

/// A whole result: that of a plugin which allows, with these members instead.
fn result(changes: Value) -> Value {
    let mut result = json!({
        "continue_processing": true, "modified_payload": null, "modified_extensions": null, "violation": null,
        "metadata": {}, "denial_metadata": null, "http_headers": null, "retry_delay_ms": 0, "executions": [],
    });
    if let (Value::Object(members), Value::Object(changes)) = (&mut result, changes) {
        members.extend(changes);
    }
    result
}

fn failed(plugin: &str, message: impl Into<String>, code: &str, details: Value) -> Result<Reply, Failure> {
    Ok(Reply::failed(PluginError {
        message: message.into(),
        plugin: plugin.to_owned(),
        code: code.to_owned(),
        details: text(&details)?,
        mcp_error_code: -32603,
    }))
}

fn text(value: &Value) -> Result<Json, Failure> {
    Json::new(value.to_string()).map_err(|error| Failure(error.to_string()))
}

fn value(json: &Json) -> Result<Value, Failure> {
    serde_json::from_str(json.as_str()).map_err(|error| Failure(error.to_string()))
}
