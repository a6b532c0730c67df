//! The example `plugin_server` as a process of its own, called by hosts of both kinds.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use cpex::hooks::TOOL_PRE_INVOKE;
use serde_json::{Value, json};

use crate::published;
use crate::world::{NAME, ask, context, host, tool};

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples/plugin_server");
    assert!(
        path.exists(),
        "{} is not built: `cargo test -p cpex --features external` builds it",
        path.display()
    );
    path
}

fn config(directory: &tempfile::TempDir) -> PathBuf {
    let tools = ["allow", "modify", "state", "raise", "error", "echo"];
    let entry = json!({"name": NAME, "kind": "example.Allowlist", "config": {"tools": tools, "calls": 1}});
    let path = directory.path().join("plugins.yaml");
    fs::write(&path, json!({"plugins": [entry]}).to_string()).unwrap();
    path
}

#[tokio::test]
async fn a_process_serves_rust_plugins_over_all_transports_until_it_is_told_to_end() {
    let directory = tempfile::tempdir().unwrap();
    let sockets = ["mcp", "grpc", "unix"].map(|name| directory.path().join(name));
    let mut command = Command::new(binary());
    command.arg(config(&directory)).stdout(Stdio::piped());
    for (socket, transport) in sockets.iter().zip(["--mcp", "--grpc", "--unix"]) {
        command.arg(transport).arg(socket);
    }
    let mut process = Process(command.spawn().unwrap());
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "READY");

    let [mcp, grpc, unix] = &sockets;
    let sections = [
        json!({"mcp": {"proto": "STREAMABLEHTTP", "url": "http://localhost/mcp", "uds": mcp}}),
        json!({"grpc": {"uds": grpc}}),
        json!({"unix_socket": {"path": unix}}),
    ];
    for section in &sections {
        let manager = host(section.clone()).await.unwrap();
        let denied = ask(&manager, "shell", json!({})).await.unwrap().violation.unwrap();
        assert_eq!((&*denied.code, denied.http_status_code), ("TOOL_DENIED", Some(403)));
        let context = context();
        let first = manager.invoke(&TOOL_PRE_INVOKE, &tool("allow", json!({})), &context).await.unwrap();
        assert_eq!(first.payload.unwrap().arg("checked"), Some(&json!(true)));
        let second = manager.invoke(&TOOL_PRE_INVOKE, &tool("allow", json!({})), &context).await.unwrap();
        assert_eq!(second.violation.unwrap().code, "TOOL_LIMIT", "what it keeps travels with the request");
        manager.shutdown().await;
    }
    if let Some(python) = published::interpreter() {
        for section in sections {
            let seen = published::host_sees(&python, section.clone()).await;
            assert_eq!(seen["plugins"], 1, "{section}");
            assert_eq!(seen["deny"]["violation"]["code"], "TOOL_DENIED");
            assert_eq!(seen["deny"]["continue_processing"], false);
            assert_eq!(seen["allow"]["modified_payload"]["args"]["checked"], true);
            assert_eq!(seen["allow"]["modified_payload"]["args"]["text"], "hi");
            // A published host makes a float of every number that comes over gRPC or a Unix socket.
            assert_eq!(seen["allow"]["metadata"]["calls"].as_f64(), Some(1.0));
            assert_eq!(seen["state"]["contexts"][0]["state"]["state"].as_f64(), Some(1.0));
        }
    }
    let id = i32::try_from(process.0.id()).unwrap();
    assert!(Command::new("kill").arg(id.to_string()).status().unwrap().success());
    assert!(process.0.wait().unwrap().success(), "it ends by itself");
    assert!(sockets.iter().all(|socket| !socket.exists()));
}

#[tokio::test]
async fn a_host_starts_its_server() {
    let directory = tempfile::tempdir().unwrap();
    let words =
        [binary().display().to_string(), config(&directory).display().to_string(), "--stdio".to_owned()];
    let manager = host(json!({"mcp": {"proto": "STDIO", "cmd": words}})).await.unwrap();
    let denied = ask(&manager, "shell", json!({})).await.unwrap();
    assert_eq!(denied.violation.unwrap().code, "TOOL_DENIED");
    assert!(ask(&manager, "allow", json!({})).await.unwrap().is_allowed());
    manager.shutdown().await;

    let missing: Value =
        json!({"mcp": {"proto": "STDIO", "cmd": ["/no/such/server"], "reconnect_attempts": 0}});
    let error = host(missing).await.unwrap_err().to_string();
    assert!(error.contains("/no/such/server"), "{error}");
}
