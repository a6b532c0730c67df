//! A server with one plugin written in Rust: `probe_server unix PATH`, `probe_server grpc|mcp HOST:PORT|PATH`,
//! `probe_server stdio`. A number after the address is how many connections it takes.
//!
//! Prints READY when it serves, but over the standard streams; ends on SIGTERM or Ctrl-C, after the calls under way.

mod probe;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;

use cpex_remote::{grpc, mcp, unix};
use probe::Probe;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str =
    "usage: probe_server unix PATH [CONNECTIONS] | grpc|mcp HOST:PORT|PATH [CONNECTIONS] | stdio";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["unix", path, connections @ ..] => {
            let mut config = unix::ServerConfig::new(path);
            config.limits.connections = allowed(connections, config.limits.connections)?;
            let server = unix::Server::bind(config)?;
            ready()?;
            server.serve(Arc::new(Probe), stopped()).await;
        }
        ["grpc", address, connections @ ..] => {
            let mut config = grpc::ServerConfig::new(target(address));
            config.limits.connections = allowed(connections, config.limits.connections)?;
            let server = grpc::Server::bind(config).await?;
            ready()?;
            server.serve(Arc::new(Probe), stopped()).await;
        }
        ["mcp", address, connections @ ..] => {
            let mut config = mcp::ServerConfig::new(target(address));
            config.limits.connections = allowed(connections, config.limits.connections)?;
            let server = mcp::Server::bind(config).await?;
            ready()?;
            server.serve(Arc::new(Probe), stopped()).await;
        }
        ["stdio"] => {
            // Nothing that a plugin prints may come among the messages.
            mcp::serve_stdio(Arc::new(Probe), mcp::StdioConfig::default(), stopped()).await?;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
}

fn target(address: &str) -> grpc::Target {
    match address.starts_with('/') {
        true => grpc::Target::Unix(address.into()),
        false => grpc::Target::Tcp(address.to_owned()),
    }
}

/// How many connections are taken; the system is asked for as many files as it gives.
fn allowed(connections: &[&str], usual: usize) -> Result<usize, Box<dyn Error>> {
    let Some(connections) = connections.first() else { return Ok(usual) };
    let files = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files })?;
    Ok(connections.parse()?)
}

fn ready() -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "READY")?;
    stdout.flush()
}

async fn stopped() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
