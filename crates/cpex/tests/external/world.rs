//! Servers with the probe plugin, and hosts of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{Context, Error, Failure, InvokeError, Manager, Outcome};
use cpex_remote::{grpc, mcp, unix};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::witness::Witness;

/// Longer than anything here takes, however slow the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The name of the plugin, on both sides.
pub(crate) const NAME: &str = "ProbePlugin";

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transport {
    Unix,
    GrpcTcp,
    GrpcUnix,
    McpTcp,
    McpUnix,
}

impl Transport {
    pub(crate) const ALL: [Self; 5] =
        [Self::Unix, Self::GrpcTcp, Self::GrpcUnix, Self::McpTcp, Self::McpUnix];
}

/// Where a server is, or was, or will be.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    transport: Transport,
    port: u16,
}

/// A server of this process. Dropped, it is gone with all its connections.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    /// What it has seen.
    pub(crate) witness: Arc<Witness>,
}

impl Running {
    /// Lets calls under way finish.
    pub(crate) async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.task).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Place {
    pub(crate) fn new(transport: Transport) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { directory: tempfile::tempdir().unwrap(), transport, port }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    /// The section of an entry that leads here.
    pub(crate) fn section(&self) -> Value {
        match self.transport {
            Transport::Unix => json!({"unix_socket": {"path": self.socket()}}),
            Transport::GrpcTcp => json!({"grpc": {"target": format!("127.0.0.1:{}", self.port)}}),
            Transport::GrpcUnix => json!({"grpc": {"uds": self.socket()}}),
            Transport::McpTcp => {
                json!({"mcp": {"proto": "STREAMABLEHTTP", "url": format!("http://localhost:{}/mcp", self.port)}})
            }
            Transport::McpUnix => {
                json!({"mcp": {"proto": "STREAMABLEHTTP", "url": "http://localhost/mcp", "uds": self.socket()}})
            }
        }
    }

    /// Serves the probe plugin here.
    pub(crate) async fn serve(&self) -> Running {
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let witness = Arc::new(Witness::default());
        let backend = witness.clone();
        let tcp = format!("127.0.0.1:{}", self.port);
        let task = match self.transport {
            Transport::Unix => {
                let server = unix::Server::bind(unix::ServerConfig::new(self.socket())).unwrap();
                tokio::spawn(server.serve(backend, stopped))
            }
            Transport::GrpcTcp | Transport::GrpcUnix => {
                let target = match self.transport {
                    Transport::GrpcTcp => grpc::Target::Tcp(tcp),
                    _ => grpc::Target::Unix(self.socket()),
                };
                let server = grpc::Server::bind(grpc::ServerConfig::new(target)).await.unwrap();
                tokio::spawn(server.serve(backend, stopped))
            }
            Transport::McpTcp | Transport::McpUnix => {
                let target = match self.transport {
                    Transport::McpTcp => mcp::Target::Tcp(tcp),
                    _ => mcp::Target::Unix(self.socket()),
                };
                let server = mcp::Server::bind(mcp::ServerConfig::new(target)).await.unwrap();
                tokio::spawn(server.serve(backend, stopped))
            }
        };
        Running { stop: Some(stop), task, witness }
    }

    /// A host of the plugin here, whose entry has these fields as well.
    pub(crate) async fn host(&self, more: Value) -> Result<Manager, Error> {
        host(merged(self.section(), more)).await
    }
}

/// A host of an external plugin, whose entry has these fields.
pub(crate) async fn host(fields: Value) -> Result<Manager, Error> {
    let entry = merged(json!({"name": NAME, "kind": "external", "required": true}), fields);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plugins.yaml");
    // JSON is YAML.
    fs::write(&path, json!({"plugins": [entry]}).to_string()).unwrap();
    Manager::builder().yaml(&path)?.start().await
}

/// One object over another, two levels deep.
pub(crate) fn merged(mut below: Value, above: Value) -> Value {
    let Value::Object(above) = above else { panic!("{above}") };
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => below.extend(above),
            (_, value) => below[&key] = value,
        }
    }
    below
}

pub(crate) fn tool(name: &str, args: Value) -> ToolPreInvoke {
    let Value::Object(args) = args else { panic!("{args}") };
    ToolPreInvoke { args: Some(args), ..ToolPreInvoke::new(name) }
}

/// What comes of a call of this tool.
pub(crate) async fn ask(
    manager: &Manager,
    name: &str,
    args: Value,
) -> Result<Outcome<ToolPreInvoke>, InvokeError> {
    manager.invoke(&TOOL_PRE_INVOKE, &tool(name, args), &context()).await
}

pub(crate) fn context() -> Context {
    let context = Context::new("req-1").user("alice").tenant("ten").server("srv").metadata("mk", 1);
    context.share("sk", true);
    context
}

/// Names of metrics in a text that begin like this.
pub(crate) fn names(text: &str, prefix: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let named = words.filter(|word| word.starts_with(prefix));
    // A histogram has several series.
    let base = |word: &str| {
        ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end).map(Into::into))
    };
    named.map(|word| base(word).unwrap_or_else(|| word.to_owned())).collect()
}

/// The names in the guide, which are those of the Python host.
pub(crate) fn documented(page: &str, prefix: &str) -> BTreeSet<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide");
    names(&fs::read_to_string(guide.join(page)).unwrap(), prefix)
}

/// The failure that the plugin is said to have had.
pub(crate) fn failure<T>(ended: Result<Outcome<T>, InvokeError>) -> Failure {
    match ended {
        Err(InvokeError::Plugin { plugin, failure, .. }) => {
            assert_eq!(plugin, NAME);
            failure
        }
        Err(error) => panic!("{error}"),
        Ok(outcome) => panic!("no failure; allowed: {}", outcome.is_allowed()),
    }
}
