//! With the official TypeScript SDK of MCP as a client of our server.
//!
//! It comes from npm, pinned by `tests/peers/node/package-lock.json`; without node, npm and what they fetch there is
//! nothing to test.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::env;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/node");
/// Only what is listed with a checksum, and none of its scripts are run.
const INSTALL: [&str; 5] = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"];

/// The client's program, once the SDK is there.
fn installed() -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node-peer");
    fs::create_dir_all(&place).unwrap();
    for file in ["package.json", "package-lock.json", "client.js"] {
        fs::copy(Path::new(PEER).join(file), place.join(file)).unwrap();
    }
    let installed = Command::new("npm").args(INSTALL).current_dir(&place).stdin(Stdio::null()).output();
    let why = match installed {
        Ok(output) if output.status.success() => return Some(place.join("client.js")),
        Ok(output) => format!("npm does not install: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => format!("npm does not run: {error}"),
    };
    assert!(env::var_os("CI").is_none(), "{why}");
    eprintln!("skipped: {why}");
    None
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(server: &Path) -> (Server, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let mut child = Command::new(server)
        .args(["mcp", &address])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    (Server(child), format!("http://{address}/mcp"))
}

#[test]
fn its_client_understands_our_server() {
    let Some(client) = installed() else { return };
    let server = env::current_exe().unwrap().parent().unwrap().join("../examples/probe_server");
    let (_serving, url) = serve(&server);
    for way in [["http", &*url], ["stdio", server.to_str().unwrap()]] {
        let mut asking = Command::new("node");
        asking.arg(&client).args(way).args((way[0] == "stdio").then_some("stdio"));
        let output = asking.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{way:?}: {}", String::from_utf8_lossy(&output.stderr));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            answer,
            json!({
                "server": "MCP Plugin Server", "features": ["json", "context", "extensions"],
                "tools": ["get_plugin_config", "get_plugin_configs", "invoke_hook"],
                "configs": ["ProbePlugin"], "config": "ProbePlugin", "missing": {},
                "invoked": {"n": 7, "f": 2.5, "added": 1, "ünï": "✓"},
                "unknown": [true, "Unknown tool: nope"], "gave_up": true,
            }),
            "{way:?}"
        );
    }
}
