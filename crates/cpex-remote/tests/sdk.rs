//! With the official SDK of MCP at the other end, in both directions.
//!
//! `CPEX_PEERS` names interpreters (`a:b`) that have `mcp`, 1.x or 2.x; without it there is nothing to test.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod interpreters;
mod words;

use std::env;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cpex_remote::RemoteError;
use cpex_remote::mcp::{Client, ClientConfig, Endpoint, Http, Launch, Program};
use interpreters::interpreters;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use words::{call, result, value};

/// How long an interpreter may take to start, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/sdk_client.py");
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/sdk_server.py");

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn our_server() -> String {
    let binary = env::current_exe().unwrap().parent().unwrap().join("../examples/probe_server");
    binary.display().to_string()
}

fn run(program: impl AsRef<Path>, words: &[&str]) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    command
}

/// Our client, once there is a server.
async fn connect(endpoint: Endpoint) -> Client {
    let config = ClientConfig { timeout: PATIENCE, ..ClientConfig::new(endpoint) };
    let connecting = async {
        loop {
            match Client::connect(words::NAME, config.clone()).await {
                Ok(client) => return client,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    timeout(PATIENCE, connecting).await.unwrap()
}

#[tokio::test]
async fn its_clients_understand_our_server() {
    for python in interpreters() {
        let (server, port) = (our_server(), free_port());
        let _serving = run(&server, &["mcp", &format!("127.0.0.1:{port}")]).spawn().unwrap();
        let url = format!("http://localhost:{port}/mcp");
        connect(Endpoint::Http(Http::new(&url))).await;
        for way in [["http", &*url].as_slice(), &["stdio", &server, "stdio"]] {
            let output =
                timeout(PATIENCE, run(&python, &[&[CLIENT], way].concat()).output()).await.unwrap().unwrap();
            assert!(output.status.success(), "{python:?} {way:?}");
            let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
            assert!(!answers.is_empty());
            for answer in answers {
                assert_eq!(
                    answer,
                    json!({
                        "tools": ["get_plugin_config", "get_plugin_configs", "invoke_hook"],
                        "configs": [words::NAME], "config": words::NAME, "missing": {},
                        "invoked": {"n": 9_223_372_036_854_775_808_u64, "f": 2.5, "added": 1, "ünï": "✓"},
                        "unknown": [true, "Unknown tool: nope"], "gave_up": true,
                    }),
                    "{python:?} {way:?}"
                );
            }
        }
    }
}

async fn check(client: &Client, kind: &str) {
    let config = value(&client.plugin_config().await.unwrap().unwrap());
    assert_eq!(config, json!({"name": words::NAME, "priority": 42}), "{kind}");
    let args = json!({"text": "ä".repeat(100_000), "n": u64::MAX, "f": 5.0});
    let echoed = client.invoke(&call("echo", args.clone())).await.unwrap();
    assert_eq!(result(&echoed)["modified_payload"]["args"], args, "{kind}");
    assert_eq!(value(echoed.context.as_ref().unwrap())["global_context"]["content_type"], "ct", "{kind}");
    let denied = client.invoke(&call("deny", json!({}))).await.unwrap();
    assert_eq!(result(&denied)["continue_processing"], false, "{kind}");
    let failed = client.invoke(&call("raise", json!({}))).await.unwrap();
    assert_eq!(words::error(&failed).code, "JSON_DECODE_ERROR", "W12, {kind}");
    let message = &words::error(&failed).message;
    assert!(
        message.starts_with("Error trying to decode json: Error executing tool invoke_hook"),
        "{kind}: {message}"
    );
}

#[tokio::test]
async fn our_client_understands_its_servers() {
    // W85: events or plain JSON, with sessions or without.
    for python in interpreters() {
        for kind in ["sse", "json", "stateless"] {
            let port = free_port();
            let start = || -> Child {
                run(&python, &[SERVER, kind, &port.to_string()]).stderr(Stdio::piped()).spawn().unwrap()
            };
            let mut server = start();
            let client = connect(Endpoint::Http(Http::new(format!("http://127.0.0.1:{port}/mcp")))).await;
            check(&client, kind).await;
            if kind == "sse" {
                // W86
                let slow = call("sleep", json!({"seconds": 600}));
                timeout(Duration::from_secs(1), client.invoke(&slow)).await.unwrap_err();
                let mut complaints = BufReader::new(server.stderr.take().unwrap()).lines();
                let told = async { while complaints.next_line().await.unwrap().unwrap() != "cancelled" {} };
                timeout(PATIENCE, told).await.unwrap();
                // W13: the session is gone, and the next call begins another.
                server.kill().await.unwrap();
                let missing = client.invoke(&call("echo", json!({}))).await.unwrap_err();
                assert!(matches!(missing, RemoteError::Reconnect { .. }), "{missing:?}");
                let _successor = start();
                connect(Endpoint::Http(Http::new(format!("http://127.0.0.1:{port}/mcp")))).await;
                check(&client, kind).await;
            }
            client.close().await;
        }
        let words = [python.display().to_string(), SERVER.to_owned(), "stdio".to_owned()];
        let client = connect(Endpoint::Stdio(Program::new(Launch::Command(words.to_vec())))).await;
        check(&client, "stdio").await;
        client.close().await;
        check(&client, "stdio, started again").await;
    }
}
