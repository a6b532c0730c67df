//! With the published package at the other end, in both directions. W80, W81.
//!
//! `CPEX_PEERS` names interpreters (`a:b`) that have `cpex[grpc]`, 0.1.3 or 0.1.4; without it there is nothing to test.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod certificates;
mod interpreters;
#[path = "../examples/probe_server/probe.rs"]
mod probe;
mod words;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use certificates::Authority;
use cpex_remote::mcp::{Launch, Program};
use cpex_remote::tls::{ClientAuth, ServerTls};
use cpex_remote::{Remote, RemoteError, Secret, grpc, mcp, unix};
use interpreters::interpreters;
use probe::Probe;
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
    McpTcp,
    McpUnix,
    McpStdio,
}

const TRANSPORTS: [Transport; 6] = [
    Transport::Unix,
    Transport::GrpcTcp,
    Transport::GrpcUnix,
    Transport::McpTcp,
    Transport::McpUnix,
    Transport::McpStdio,
];

/// Where the plugin in Python is.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers");

/// A place for sockets and configuration files, and how the transport names it.
struct Place {
    directory: tempfile::TempDir,
    transport: Transport,
    port: u16,
    /// Of a server that its client starts.
    program: Option<Program>,
}

impl Place {
    fn new(transport: Transport) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { directory: tempfile::tempdir().unwrap(), transport, port, program: None }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn url(&self) -> String {
        format!("http://localhost:{}/mcp", self.port)
    }

    /// What a published server is told.
    fn environment(&self) -> BTreeMap<&'static str, String> {
        let config = self.directory.path().join("server.yaml").display().to_string();
        let transport = if let Transport::McpStdio = self.transport { "stdio" } else { "http" };
        BTreeMap::from([
            ("PLUGINS_CONFIG_PATH", config),
            ("PLUGINS_UNIX_SOCKET_PATH", self.socket().display().to_string()),
            ("PLUGINS_TRANSPORT", transport.to_owned()),
            ("PYTHONPATH", PEERS.to_owned()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("PLUGINS_LOG_LEVEL", "CRITICAL".to_owned()),
        ])
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
            Transport::McpTcp => json!({"mcp": {"proto": "STREAMABLEHTTP", "url": self.url()}}),
            Transport::McpUnix => {
                json!({"mcp": {"proto": "STREAMABLEHTTP", "url": "http://localhost/mcp", "uds": self.socket()}})
            }
            Transport::McpStdio => {
                let program = self.program.as_ref().unwrap();
                let Launch::Command(words) = &program.launch else { panic!("{program:?}") };
                json!({"mcp": {"proto": "STDIO", "cmd": words, "env": self.environment()}})
            }
        };
        let mut plugin = json!({"name": words::NAME, "kind": "external", "hooks": ["tool_pre_invoke"]});
        plugin.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
        self.write("host.yaml", plugin, json!({}))
    }

    /// The published server with the plugin in Python.
    fn published_server(&mut self, python: &Path) -> Option<Child> {
        let plugin = json!({
            "name": words::NAME, "kind": "probe_plugin.ProbePlugin", "description": "probe", "author": "me",
            "version": "1.2.3", "hooks": ["tool_pre_invoke"], "tags": ["a", "b"], "mode": "sequential", "priority": 42,
            "config": {"alpha": 1},
        });
        let settings = match self.transport {
            Transport::Unix => json!({}),
            Transport::GrpcTcp => json!({"grpc_server_settings": {"host": "127.0.0.1", "port": self.port}}),
            Transport::GrpcUnix => json!({"grpc_server_settings": {"uds": self.socket()}}),
            Transport::McpTcp => json!({"server_settings": {"host": "127.0.0.1", "port": self.port}}),
            Transport::McpUnix => json!({"server_settings": {"uds": self.socket()}}),
            Transport::McpStdio => json!({}),
        };
        let module = match self.transport {
            Transport::Unix => "cpex.framework.external.unix.server.runtime",
            Transport::GrpcTcp | Transport::GrpcUnix => "cpex.framework.external.grpc.server.runtime",
            Transport::McpTcp | Transport::McpUnix | Transport::McpStdio => {
                "cpex.framework.external.mcp.server.runtime"
            }
        };
        self.write("server.yaml", plugin, settings);
        let arguments = [python.display().to_string(), "-m".to_owned(), module.to_owned()];
        self.start(arguments.to_vec(), self.environment())
    }

    /// Starts a server, or says how its client does.
    fn start(&mut self, words: Vec<String>, env: BTreeMap<&'static str, String>) -> Option<Child> {
        if let Transport::McpStdio = self.transport {
            let env = env.into_iter().map(|(name, value)| (name.to_owned(), Secret::new(value))).collect();
            self.program = Some(Program { env, ..Program::new(Launch::Command(words)) });
            return None;
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).envs(env).stdin(Stdio::null()).stdout(Stdio::piped());
        Some(command.stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap())
    }

    /// Our server with the plugin in Rust.
    fn our_server(&mut self) -> Option<Child> {
        let binary = env::current_exe().unwrap().parent().unwrap().join("../examples/probe_server");
        let tcp = format!("127.0.0.1:{}", self.port);
        let socket = self.socket().display().to_string();
        let arguments = match self.transport {
            Transport::Unix => vec!["unix".to_owned(), socket],
            Transport::GrpcTcp => vec!["grpc".to_owned(), tcp],
            Transport::GrpcUnix => vec!["grpc".to_owned(), socket],
            Transport::McpTcp => vec!["mcp".to_owned(), tcp],
            Transport::McpUnix => vec!["mcp".to_owned(), socket],
            Transport::McpStdio => vec!["stdio".to_owned()],
        };
        let words = [binary.display().to_string()].into_iter().chain(arguments).collect();
        self.start(words, BTreeMap::new())
    }

    fn endpoint(&self) -> mcp::Endpoint {
        match (&self.program, self.transport) {
            (Some(program), _) => mcp::Endpoint::Stdio(program.clone()),
            (None, Transport::McpUnix) => {
                let http = mcp::Http::new("http://localhost/mcp");
                mcp::Endpoint::Http(mcp::Http { socket: Some(self.socket()), ..http })
            }
            (None, _) => mcp::Endpoint::Http(mcp::Http::new(self.url())),
        }
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
                    Transport::McpTcp | Transport::McpUnix | Transport::McpStdio => {
                        let config = mcp::ClientConfig {
                            timeout: PATIENCE,
                            ..mcp::ClientConfig::new(self.endpoint())
                        };
                        let client = mcp::Client::connect(words::NAME, config).await;
                        client.map(|client| Remote::Mcp(Box::new(client)))
                    }
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

fn published(python: &Path) -> Command {
    let mut command = Command::new(python);
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

/// What a published host sees of a server, once it is there.
async fn seen_by_published_host(python: &Path, place: &Place) -> Value {
    place.client().await;
    seen_by_host(python, &place.host_config()).await
}

/// What a published host sees, with this configuration.
async fn seen_by_host(python: &Path, config: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/host.py");
    let host = published(python).arg(script).arg(config).output();
    let output = tokio::time::timeout(PATIENCE, host).await.unwrap().unwrap();
    assert!(output.status.success(), "the published host ended with {}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_published_host_sees_the_same_of_our_server_as_of_its_own() {
    for python in interpreters() {
        for transport in TRANSPORTS {
            let mut place = Place::new(transport);
            let server = place.published_server(&python);
            let mut theirs = seen_by_published_host(&python, &place).await;
            drop(server);

            let mut place = Place::new(transport);
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
}

#[tokio::test]
async fn a_published_host_reaches_our_server_over_mutual_tls() {
    // W52: the published server does not start with TLS.
    for python in interpreters() {
        let authority = Authority::new();
        let config = mcp::ServerConfig {
            tls: Some(ServerTls {
                identity: authority.identity("localhost"),
                clients: ClientAuth::Required(authority.bundle()),
            }),
            ..mcp::ServerConfig::new(mcp::Target::Tcp("127.0.0.1:0".to_owned()))
        };
        let server = mcp::Server::bind(config).await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(server.serve(Arc::new(Probe), std::future::pending()));
        let place = Place::new(Transport::McpTcp);
        let identity = authority.encrypted_identity("client");
        let target = json!({
            "proto": "STREAMABLEHTTP", "url": format!("https://localhost:{port}/mcp"),
            "tls": {
                "certfile": identity.certfile, "keyfile": identity.keyfile, "ca_bundle": authority.bundle(),
                "keyfile_password": certificates::PASSWORD,
            },
        });
        let plugin =
            json!({"name": words::NAME, "kind": "external", "hooks": ["tool_pre_invoke"], "mcp": target});
        let seen = seen_by_host(&python, &place.write("host.yaml", plugin, json!({}))).await;
        assert_eq!(seen["plugins"], 1);
        assert_eq!(seen["deny"]["continue_processing"], false);
        assert_eq!(seen["modify"]["modified_payload"]["args"]["ünï"], "✓");
    }
}

#[tokio::test]
async fn our_client_understands_a_published_server() {
    for python in interpreters() {
        for transport in TRANSPORTS {
            let mut place = Place::new(transport);
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
            assert_eq!(
                (&context["state"], &context["metadata"]),
                (&json!({"k": {"v": 1}}), &json!({"m": "md"}))
            );
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
}

#[tokio::test]
async fn a_published_server_that_is_killed_leaves_an_error() {
    // W82
    for python in interpreters() {
        for transport in [Transport::Unix, Transport::GrpcTcp, Transport::McpTcp] {
            let mut place = Place::new(transport);
            let mut server = place.published_server(&python).unwrap();
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
}

#[tokio::test]
async fn our_server_says_when_it_is_ready() {
    // W33
    let mut place = Place::new(Transport::Unix);
    let mut server = place.our_server().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "READY");
    place.client().await.invoke(&call("allow", json!({}))).await.unwrap();
}
