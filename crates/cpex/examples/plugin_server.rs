//! A server of plugins, with no Python in the process:
//!
//! ```text
//! plugin_server plugins.yaml --mcp 127.0.0.1:8000 --grpc 127.0.0.1:50051 --unix /run/user/1000/plugins.sock
//! plugin_server plugins.yaml --stdio
//! ```
//!
//! Besides its own kind, `example.Allowlist`, it knows the built-in ones if it is built with the feature `builtin`.
//! Prints `READY` when it serves, but over the standard streams; on SIGTERM or Ctrl-C calls under way are finished.

use std::env;
use std::io::{self, Write};

use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::serve::{Server, grpc, mcp, unix};
use cpex::{BoxError, Manager, PluginContext, Reply, Violation, plugin};
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: plugin_server CONFIG [--mcp ADDRESS] [--grpc ADDRESS] [--unix PATH] [--stdio], at least one of them";

/// Lets a request use the tools on a list, each a few times.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allowlist {
    tools: Vec<String>,
    calls: u64,
}

#[plugin]
impl Allowlist {
    #[hook(TOOL_PRE_INVOKE)]
    fn check(&self, call: &ToolPreInvoke, context: &mut PluginContext) -> Reply<ToolPreInvoke> {
        if !self.tools.contains(&call.name) {
            let violation = Violation::new("TOOL_DENIED", "not on the list").detail("tool", &*call.name);
            return Reply::deny(violation.http_status(403));
        }
        let calls = context.state().get(&call.name).and_then(serde_json::Value::as_u64).unwrap_or(0) + 1;
        if calls > self.calls {
            return Reply::deny(Violation::new("TOOL_LIMIT", "called too often").http_status(429));
        }
        context.state_mut().insert(call.name.clone(), calls.into());
        Reply::modify(call.clone().with("checked", true)).metadata("calls", calls)
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = env::args().skip(1);
    let config = arguments.next().ok_or(USAGE)?;
    let builder = Manager::builder().kind("example.Allowlist", |config: Allowlist| config);
    let manager = builder.yaml(config)?.all_required().start().await?;

    let mut server = Server::new(manager.clone());
    let mut announces = true;
    while let Some(transport) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        server = match &*transport {
            "--mcp" => server.mcp(mcp::ServerConfig::new(target(value()?))).await?,
            "--grpc" => server.grpc(grpc::ServerConfig::new(target(value()?))).await?,
            "--unix" => server.unix(unix::ServerConfig::new(value()?))?,
            "--stdio" => {
                announces = false;
                server.stdio(mcp::StdioConfig::default())
            }
            _ => return Err(USAGE.into()),
        };
    }
    if announces {
        println!("READY");
        io::stdout().flush()?;
    }
    server.serve(stopped()).await?;
    manager.shutdown().await;
    Ok(())
}

/// `HOST:PORT`, or the path of a socket.
fn target(address: String) -> mcp::Target {
    match address.contains('/') {
        true => mcp::Target::Unix(address.into()),
        false => mcp::Target::Tcp(address),
    }
}

async fn stopped() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
