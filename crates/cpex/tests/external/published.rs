//! With the published package at the other end, as a server and as a host. W80, W81
//!
//! `CPEX_PUBLISHED_PYTHON` names an interpreter that has `cpex[grpc,mcp]==0.1.4`; without it there is nothing to test.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use cpex::config::PluginConfig;
use cpex::{Failure, Manager};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::answers::answers;
use crate::served;
use crate::world::{NAME, PATIENCE, ask, failure, host, merged};

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../cpex-remote/tests/peers");

/// The interpreter with the published package, if there is one here.
pub(crate) fn interpreter() -> Option<PathBuf> {
    let Some(python) = std::env::var_os("CPEX_PUBLISHED_PYTHON").map(PathBuf::from) else {
        eprintln!("skipped: CPEX_PUBLISHED_PYTHON names no interpreter");
        return None;
    };
    assert!(python.is_file(), "CPEX_PUBLISHED_PYTHON names {}, which is not there", python.display());
    Some(python)
}

fn python(interpreter: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command
        .env("PYTHONPATH", PEERS)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PLUGINS_LOG_LEVEL", "CRITICAL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What a published host sees of the plugin that this section leads to.
pub(crate) async fn host_sees(interpreter: &Path, section: Value) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let entry = merged(json!({"name": NAME, "kind": "external", "hooks": ["tool_pre_invoke"]}), section);
    let config = directory.path().join("host.yaml");
    let settings = json!({"plugin_timeout": 60});
    let file = json!({"plugins": [entry], "plugin_dirs": [], "plugin_settings": settings});
    fs::write(&config, file.to_string()).unwrap();
    let script = Path::new(PEERS).join("host.py");
    let host = python(interpreter).arg(script).arg(config).output();
    let output = tokio::time::timeout(PATIENCE * 2, host).await.unwrap().unwrap();
    assert!(output.status.success(), "the published host ended with {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A published server, and the section that leads to it.
struct Server {
    process: Child,
    _directory: tempfile::TempDir,
    section: Value,
}

fn server(interpreter: &Path, transport: &str) -> Server {
    let directory = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (config, socket) = (directory.path().join("server.yaml"), directory.path().join("s"));
    let at = json!({"host": "127.0.0.1", "port": port});
    let (settings, section) = match transport {
        "unix" => (json!({}), json!({"unix_socket": {"path": socket}})),
        "grpc" => {
            (json!({"grpc_server_settings": at}), json!({"grpc": {"target": format!("127.0.0.1:{port}")}}))
        }
        "mcp" => {
            let url = format!("http://localhost:{port}/mcp");
            (json!({"server_settings": at}), json!({"mcp": {"proto": "STREAMABLEHTTP", "url": url}}))
        }
        transport => panic!("{transport}"),
    };
    let plugin = json!({
        "name": NAME, "kind": "probe_plugin.ProbePlugin", "description": "probe", "author": "me", "version": "1.2.3",
        "hooks": ["tool_pre_invoke"], "mode": "sequential", "priority": 42, "config": {"alpha": 1},
    });
    let plugins = json!({"plugins": [plugin], "plugin_dirs": [], "plugin_settings": {"plugin_timeout": 60}});
    fs::write(&config, merged(plugins, settings).to_string()).unwrap();
    let environment = BTreeMap::from([
        ("PLUGINS_CONFIG_PATH", config.display().to_string()),
        ("PLUGINS_UNIX_SOCKET_PATH", socket.display().to_string()),
        ("PLUGINS_TRANSPORT", "http".to_owned()),
    ]);
    let module = format!("cpex.framework.external.{transport}.server.runtime");
    let process = python(interpreter).args(["-m", &module]).envs(environment).stdout(Stdio::null()).spawn();
    Server { process: process.unwrap(), _directory: directory, section }
}

/// A host of a server that is starting.
async fn host_of(section: &Value) -> Manager {
    let starting = async {
        loop {
            match host(section.clone()).await {
                Ok(manager) => return manager,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE * 2, starting).await.unwrap()
}

#[tokio::test]
async fn a_published_server_answers_this_host() {
    let Some(interpreter) = interpreter() else { return };
    for transport in ["unix", "grpc", "mcp"] {
        let server = server(&interpreter, transport);
        let manager = host_of(&server.section).await;
        // W32: over its Unix socket the details of an error are left out.
        let details = if transport == "unix" { json!({}) } else { json!({"k": 1}) };
        answers(&manager, details, i64::from(i32::MAX)).await;

        let hasty = host_of(&merged(server.section.clone(), json!({"timeout_ms": 300}))).await;
        let ended = ask(&hasty, "sleep", json!({"seconds": 120})).await;
        assert!(matches!(failure(ended), Failure::TimedOut(_)), "{transport}");
        assert!(!ask(&hasty, "deny", json!({})).await.unwrap().is_allowed(), "{transport}: its own answer");
    }
}

#[tokio::test]
async fn a_published_server_that_is_killed_under_a_call_leaves_a_failure() {
    // W82
    let Some(interpreter) = interpreter() else { return };
    for transport in ["unix", "grpc", "mcp"] {
        let mut server = server(&interpreter, transport);
        let manager = host_of(&server.section).await;
        let killed = async {
            // Until the call is on its way there is nothing to see from outside.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            server.process.kill().await.unwrap();
        };
        let (ended, ()) = tokio::join!(ask(&manager, "sleep", json!({"seconds": 120})), killed);
        assert!(matches!(failure(ended), Failure::Error(_)), "{transport}");
        assert!(matches!(failure(ask(&manager, "allow", json!({})).await), Failure::Error(_)), "{transport}");
    }
}

#[tokio::test]
async fn a_published_host_sees_the_same_of_a_rust_plugin_as_of_one_in_python() {
    let Some(interpreter) = interpreter() else { return };
    let rust = served::serve(PluginConfig::new(NAME)).await;
    for (transport, section) in ["mcp", "grpc", "unix"].into_iter().zip(rust.sections()) {
        let python = server(&interpreter, transport);
        host_of(&python.section).await.shutdown().await;
        let mut theirs = host_sees(&interpreter, python.section.clone()).await;
        let ours = host_sees(&interpreter, section).await;
        // A context of a Rust plugin has no metadata, and an error no code; headers of a result reach nobody (P9).
        theirs["state"]["contexts"][0]["metadata"] = json!({});
        theirs["error"] = ours["error"].clone();
        assert_eq!(ours["deny"]["continue_processing"], false, "{transport}");
        assert_eq!(ours, theirs, "{transport}");
    }
}
