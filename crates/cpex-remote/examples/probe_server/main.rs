//! A server with one plugin written in Rust: `probe_server unix PATH`, `probe_server grpc HOST:PORT|PATH`.
//!
//! Prints READY when it serves; ends on SIGTERM or Ctrl-C, after the calls under way.

mod probe;

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;

use cpex_remote::{grpc, unix};
use probe::Probe;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: probe_server unix PATH | grpc HOST:PORT|PATH";

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
            let target = if address.starts_with('/') {
                grpc::Target::Unix(address.into())
            } else {
                grpc::Target::Tcp(address.to_string())
            };
            let server = grpc::Server::bind(grpc::ServerConfig::new(target)).await?;
            ready()?;
            server.serve(Arc::new(Probe), stopped()).await;
        }
        _ => return Err(USAGE.into()),
    }
    Ok(())
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
