//! The built-in plugins in this host: a YAML file in, verdicts out.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod audit;
mod kinds;
mod mistakes;
mod pairs;
mod readme;
mod redis;
#[path = "../../../cpex-builtin/tests/limits_redis/server.rs"]
mod server;
mod texts;
mod walks;

use std::fs;

use cpex::hooks::{TOOL_POST_INVOKE, TOOL_PRE_INVOKE, ToolPostInvoke, ToolPreInvoke};
use cpex::{Context, Error, Manager, Outcome, Violation};
use serde_json::Value;

/// A manager of a real file.
async fn start(yaml: &str) -> Result<Manager, Error> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plugins.yaml");
    fs::write(&path, yaml).unwrap();
    Manager::builder().yaml(&path)?.start().await
}

/// A manager of one required plugin, with its settings in YAML of one line.
async fn of_one(kind: &str, hooks: &str, config: &str) -> Manager {
    let yaml = format!(
        "plugins:\n  - {{name: it, kind: builtin.{kind}, hooks: {hooks}, required: true, config: {config}}}\n"
    );
    start(&yaml).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn before(manager: &Manager, call: &ToolPreInvoke, context: &Context) -> Outcome<ToolPreInvoke> {
    manager.invoke(&TOOL_PRE_INVOKE, call, context).await.unwrap()
}

async fn after(manager: &Manager, result: Value, context: &Context) -> Outcome<ToolPostInvoke> {
    let answer = ToolPostInvoke { name: "search".into(), result };
    manager.invoke(&TOOL_POST_INVOKE, &answer, context).await.unwrap()
}

fn search(query: &str) -> ToolPreInvoke {
    ToolPreInvoke::new("search").with("query", query)
}

fn request() -> Context {
    Context::new("req-1").user("alice").tenant("acme").server("db")
}

#[track_caller]
fn violation<R>(outcome: Outcome<R>) -> Violation {
    *outcome.violation.expect("it is denied")
}
