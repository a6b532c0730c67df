//! With the published package at the other end, in both directions. W80, W81.
//!
//! `CPEX_PUBLISHED_PYTHON` names an interpreter that has `cpex[grpc]==0.1.4`; without it there is nothing to test.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod words;

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use cpex_remote::{Remote, RemoteError, grpc, unix};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use words::{call, error, result, value};

/// How long an interpreter may take to start, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Clone, Copy, Debug)]
enum Transport {
    Unix,
    GrpcTcp,
    GrpcUnix,
}

/// A place for sockets and configuration files, and how the transport names it.
struct Place {
    directory: tempfile::TempDir,
    transport: Transport,
    port: u16,
}

impl Place {
    fn new(transport: Transport) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { directory: tempfile::tempdir().unwrap(), transport, port }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn write(&self, name: &str, plugin: Value, rest: Value) -> PathBuf {
        let mut config =
            json!({"plugins": [plugin], "plugin_dirs": [], "plugin_settings": {"plugin_timeout": 60}});
        config.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let path = self.directory.path().join(name);
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    fn host_config(&self) -> PathBuf {
        let target = match self.transport {
            Transport::Unix => json!({"unix_socket": {"path": self.socket()}}),
            Transport::GrpcTcp => json!({"grpc": {"target": format!("127.0.0.1:{}", self.port)}}),
            Transport::GrpcUnix => json!({"grpc": {"uds": self.socket()}}),
        };
        let mut plugin = json!({"name": words::NAME, "kind": "external", "hooks": ["tool_pre_invoke"]});
        plugin.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
        self.write("host.yaml", plugin, json!({}))
    }

    /// The published server with the plugin in Python.
    fn published_server(&self, python: &Path) -> Child {
        let plugin = json!({
            "name": words::NAME, "kind": "probe_plugin.ProbePlugin", "description": "probe", "author": "me",
            "version": "1.2.3", "hooks": ["tool_pre_invoke"], "tags": ["a", "b"], "mode": "sequential", "priority": 42,
            "config": {"alpha": 1},
        });
        let settings = match self.transport {
            Transport::Unix => json!({}),
            Transport::GrpcTcp => json!({"grpc_server_settings": {"host": "127.0.0.1", "port": self.port}}),
            Transport::GrpcUnix => json!({"grpc_server_settings": {"uds": self.socket()}}),
        };
        let module = match self.transport {
            Transport::Unix => "cpex.framework.external.unix.server.runtime",
            Transport::GrpcTcp | Transport::GrpcUnix => "cpex.framework.external.grpc.server.runtime",
        };
        let config = self.write("server.yaml", plugin, settings);
        published(python)
            .args(["-m", module])
            .env("PLUGINS_CONFIG_PATH", config)
            .env("PLUGINS_UNIX_SOCKET_PATH", self.socket())
            .spawn()
            .unwrap()
    }

    /// Our server with the plugin in Rust.
    fn our_server(&self) -> Child {
        let binary = env::current_exe().unwrap().parent().unwrap().join("../examples/probe_server");
        let arguments = match self.transport {
            Transport::Unix => ["unix".to_owned(), self.socket().display().to_string()],
            Transport::GrpcTcp => ["grpc".to_owned(), format!("127.0.0.1:{}", self.port)],
            Transport::GrpcUnix => ["grpc".to_owned(), self.socket().display().to_string()],
        };
        Command::new(binary)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    /// Our client, once there is a server.
    async fn client(&self) -> Remote {
        let grpc = |target| async {
            let config = grpc::ClientConfig { timeout: PATIENCE, ..grpc::ClientConfig::new(target) };
            Ok::<_, RemoteError>(Remote::Grpc(Box::new(grpc::Client::connect(words::NAME, config).await?)))
        };
        let connecting = async {
            loop {
                let connected = match self.transport {
                    Transport::Unix => {
                        let config = unix::ClientConfig::new(self.socket());
                        unix::Client::connect(words::NAME, config).await.map(Remote::Unix)
                    }
                    Transport::GrpcTcp => grpc(grpc::Target::Tcp(format!("127.0.0.1:{}", self.port))).await,
                    Transport::GrpcUnix => grpc(grpc::Target::Unix(self.socket())).await,
                };
                if let Ok(client) = connected {
                    return client;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, connecting).await.unwrap()
    }
}

/// The interpreter with the published package, if there is one here.
fn interpreter() -> Option<PathBuf> {
    let python = env::var_os("CPEX_PUBLISHED_PYTHON").map(PathBuf::from).filter(|python| python.exists());
    if python.is_none() {
        eprintln!("skipped: CPEX_PUBLISHED_PYTHON names no interpreter");
    }
    python
}

fn published(python: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PLUGINS_LOG_LEVEL", "CRITICAL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What a published host sees of a server, once it is there.
async fn seen_by_published_host(python: &Path, place: &Place) -> Value {
    place.client().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/host.py");
    let host = published(python).arg(script).arg(place.host_config()).output();
    let output = tokio::time::timeout(PATIENCE, host).await.unwrap().unwrap();
    assert!(output.status.success(), "the published host ended with {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_published_host_sees_the_same_of_our_server_as_of_its_own() {
    let Some(python) = interpreter() else { return };
    for transport in [Transport::Unix, Transport::GrpcTcp, Transport::GrpcUnix] {
        let place = Place::new(transport);
        let server = place.published_server(&python);
        let mut theirs = seen_by_published_host(&python, &place).await;
        drop(server);

        let place = Place::new(transport);
        let _server = place.our_server();
        let ours = seen_by_published_host(&python, &place).await;
        if let Transport::Unix = transport {
            // W32: the published server leaves the details out.
            theirs["error"]["error"]["details"] = json!({"k": 1.0});
        }
        assert_eq!(ours["plugins"], 1, "{transport:?}");
        assert_eq!(ours["deny"]["continue_processing"], false, "{transport:?}");
        assert_eq!(ours, theirs, "{transport:?}");
    }
}

#[tokio::test]
async fn our_client_understands_a_published_server() {
    let Some(python) = interpreter() else { return };
    for transport in [Transport::Unix, Transport::GrpcTcp, Transport::GrpcUnix] {
        let place = Place::new(transport);
        let _server = place.published_server(&python);
        let client = place.client().await;
        let config = value(&client.plugin_config().await.unwrap().unwrap());
        assert_eq!(config["name"], words::NAME, "{transport:?}");
        assert_eq!(config["priority"], json!(42), "B12: an integer");

        let ask = async |name: &str, args: Value| client.invoke(&call(name, args)).await.unwrap();
        let allowed = ask("allow", json!({})).await;
        assert_eq!(result(&allowed)["continue_processing"], true);
        assert_eq!(result(&allowed)["violation"], Value::Null);
        let modified = ask("modify", json!({"text": "modify", "n": 3})).await;
        let args = json!({"text": "modify", "n": 3, "added": 1, "f": 2.5, "ünï": "✓"});
        assert_eq!(result(&modified)["modified_payload"]["args"], args);
        let kept = ask("state", json!({})).await;
        assert_eq!(result(&kept)["retry_delay_ms"], 7);
        let context = value(kept.context.as_ref().unwrap());
        assert_eq!((&context["state"], &context["metadata"]), (&json!({"k": {"v": 1}}), &json!({"m": "md"})));
        assert_eq!(context["global_context"]["state"], json!({"sk": true, "g": [1, 2]}));
        let denied = ask("deny", json!({})).await;
        assert_eq!(result(&denied)["continue_processing"], false);
        assert_eq!(result(&denied)["violation"]["code"], "PROBE");
        assert_eq!(result(&denied)["violation"]["details"], json!({"n": 1, "l": ["a", null, 1.5]}));
        assert_eq!(error(&ask("raise", json!({})).await).message, "RuntimeError('kaboom')");
        assert_eq!(error(&ask("error", json!({})).await).code, "PERR");

        let big = json!({"text": "ä".repeat(400_000), "list": (0..1000).collect::<Vec<_>>()});
        assert_eq!(result(&ask("echo", big.clone()).await)["modified_payload"]["args"], big);

        let mut unknown = call("allow", json!({}));
        unknown.hook = "nope".to_owned();
        let answer = client.invoke(&unknown).await.unwrap();
        let message = "Unable to find nope for plugin ProbePlugin.  Make sure the plugin is registered.";
        assert_eq!(error(&answer).message, message, "{transport:?}");
        let mut stranger = call("allow", json!({}));
        stranger.plugin = "Nobody".to_owned();
        assert!(error(&client.invoke(&stranger).await.unwrap()).message.contains("for plugin Nobody"));
    }
}

#[tokio::test]
async fn a_published_server_that_is_killed_leaves_an_error() {
    // W82
    let Some(python) = interpreter() else { return };
    for transport in [Transport::Unix, Transport::GrpcTcp] {
        let place = Place::new(transport);
        let mut server = place.published_server(&python);
        let client = place.client().await;
        let slow = call("sleep", json!({"seconds": 120}));
        let killed = async {
            // Until the call is on its way there is nothing to see from outside.
            tokio::time::sleep(Duration::from_millis(500)).await;
            server.kill().await.unwrap();
        };
        let (ended, ()) = tokio::join!(client.invoke(&slow), killed);
        assert!(
            matches!(ended, Err(RemoteError::Disconnected(_) | RemoteError::Reconnect { .. })),
            "{ended:?}"
        );
    }
}

#[tokio::test]
async fn our_server_says_when_it_is_ready() {
    // W33
    let place = Place::new(Transport::Unix);
    let mut server = place.our_server();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "READY");
    place.client().await.invoke(&call("allow", json!({}))).await.unwrap();
}
