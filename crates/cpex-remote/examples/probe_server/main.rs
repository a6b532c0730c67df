//! A server with one plugin written in Rust: `probe_server unix PATH`, `probe_server grpc|mcp HOST:PORT|PATH`,
//! `probe_server stdio`.
//!
//! Prints READY when it serves, but over the standard streams; ends on SIGTERM or Ctrl-C, after the calls under way.

mod probe;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;

use cpex_remote::{grpc, mcp, unix};
use probe::Probe;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: probe_server unix PATH | grpc HOST:PORT|PATH | mcp HOST:PORT|PATH | stdio";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        ["unix", path] => {
            let server = unix::Server::bind(unix::ServerConfig::new(path))?;
            ready()?;
            server.serve(Arc::new(Probe), stopped()).await;
        }
        ["grpc", address] => {
            let server = grpc::Server::bind(grpc::ServerConfig::new(target(address))).await?;
            ready()?;
            server.serve(Arc::new(Probe), stopped()).await;
        }
        ["mcp", address] => {
            let server = mcp::Server::bind(mcp::ServerConfig::new(target(address))).await?;
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
