//! With gRPC's own library for Python as a client that learns from reflection what our server has.
//!
//! `CPEX_GRPC_PYTHON` names an interpreter that has `grpcio-reflection`; without it there is nothing to test.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../examples/probe_server/probe.rs"]
mod probe;

use std::env;
use std::future::pending;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use cpex_remote::grpc::{Server, ServerConfig, Target};
use probe::Probe;
use serde_json::{Value, json};
use tokio::process::Command;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/grpc_reflection_client.py");
/// How long an interpreter may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn it_learns_from_reflection_what_there_is_to_call() {
    let Some(python) = env::var_os("CPEX_GRPC_PYTHON") else {
        eprintln!("skipped: CPEX_GRPC_PYTHON names no interpreter");
        return;
    };
    let server = Server::bind(ServerConfig::new(Target::Tcp("127.0.0.1:0".to_owned()))).await.unwrap();
    let address = server.local_addr().unwrap().to_string();
    tokio::spawn(server.serve(Arc::new(Probe), pending()));
    let mut asking = Command::new(python);
    asking.args([CLIENT, &address]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, asking.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let services = answer["services"].as_array().unwrap();
    for service in ["cpex.PluginService", "cpex.Health", "grpc.health.v1.Health"] {
        assert!(services.iter().any(|listed| listed == service), "{service}: {services:?}");
    }
    assert_eq!(
        (&answer["found"], &answer["denied"], &answer["health"], &answer["standard_health"]),
        (
            &json!([true, "ProbePlugin"]),
            &json!("PROBE"),
            &json!({"status": "SERVING"}),
            &json!({"status": "SERVING"})
        )
    );
}
