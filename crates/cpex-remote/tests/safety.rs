//! Peers that mean harm, over real sockets: a server answers its callers, and its memory stays within bounds.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[allow(dead_code, reason = "no call here fails")]
mod words;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use cpex_remote::mcp::{Endpoint, Http};
use cpex_remote::{Remote, RemoteConfig, grpc, mcp, unix};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use words::call;

/// As many connections as do nothing.
const IDLE: usize = 10_000;
/// As many as begin something that they do not end.
const BEGUN: usize = 200;
/// What a server may take for all of them, in KiB.
const MEMORY: u64 = 384 * 1024;
const PATIENCE: Duration = Duration::from_secs(120);

/// A server in a process of its own.
struct Server {
    child: Child,
    address: String,
    config: RemoteConfig,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(kind: &str, directory: &Path) -> Self {
        let path = directory.join("s");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = match kind {
            "unix" => path.display().to_string(),
            _ => format!("127.0.0.1:{port}"),
        };
        let config = match kind {
            "unix" => {
                RemoteConfig::Unix(unix::ClientConfig { timeout: PATIENCE, ..unix::ClientConfig::new(path) })
            }
            "grpc" => {
                let config = grpc::ClientConfig::new(grpc::Target::Tcp(address.clone()));
                RemoteConfig::Grpc(grpc::ClientConfig { timeout: PATIENCE, ..config })
            }
            _ => {
                let http = Http::new(format!("http://{address}/mcp"));
                let config = mcp::ClientConfig::new(Endpoint::Http(http));
                RemoteConfig::Mcp(mcp::ClientConfig { timeout: PATIENCE, ..config })
            }
        };
        let binary = std::env::current_exe().unwrap().parent().unwrap().join("../examples/probe_server");
        let connections = (2 * IDLE).to_string();
        let mut child = Command::new(binary)
            .args([kind, &address, &connections])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        assert_eq!(&ready, b"READY\n");
        Self { child, address, config }
    }

    fn connect(&self) -> Box<dyn Peer> {
        match &self.config {
            RemoteConfig::Unix(config) => Box::new(UnixStream::connect(&config.path).unwrap()),
            _ => Box::new(TcpStream::connect(&self.address).unwrap()),
        }
    }

    /// The most memory that it has had, in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    async fn is_well(&self) {
        let asking = async {
            let client = Remote::connect(words::NAME, self.config.clone()).await.unwrap();
            client.invoke(&call("allow", json!({}))).await.unwrap();
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap();
    }
}

trait Peer: Write + Send {
    fn half_close(&self);
}

impl Peer for TcpStream {
    fn half_close(&self) {
        // A server may have closed the whole.
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Peer for UnixStream {
    fn half_close(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

/// This process may hold so many files.
fn may_hold(files: usize) -> bool {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    getrlimit(Resource::Nofile).current.is_none_or(|most| most >= files as u64)
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// What a peer may begin with and not go on.
fn beginnings(kind: &str) -> Vec<Vec<u8>> {
    let post = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\naccept: */*\r\n";
    let mut all = vec![vec![0xff; 64 * 1024], b"\0".to_vec(), b"GET / HT".to_vec()];
    all.extend(match kind {
        // Two gigabytes, 16 MiB, a length and the first byte.
        "unix" => vec![b"\x80\0\0\0".to_vec(), b"\x01\0\0\0".to_vec(), b"\0\xff\xff\xff\x0a".to_vec()],
        "grpc" => vec![
            PREFACE.to_vec(),
            // Headers that never end, and a frame of 16 MiB.
            [PREFACE, &b"\0\x40\0\x01\0\0\0\0\x01"[..], &[0x40; 1000][..]].concat(),
            [PREFACE, &b"\xff\xff\xff\0\0\0\0\0\x01"[..]].concat(),
        ],
        _ => vec![
            format!("{post}content-length: 2147483648\r\n\r\n{{").into_bytes(),
            format!("{post}content-length: 16777216\r\n\r\n{{").into_bytes(),
            format!("{post}transfer-encoding: chunked\r\n\r\n7fffffff\r\n{{").into_bytes(),
            format!("GET /health HTTP/1.1\r\nx: {}", "x".repeat(1 << 20)).into_bytes(),
            PREFACE.to_vec(),
        ],
    });
    all
}

#[tokio::test]
async fn harm_is_survived_and_memory_is_bounded() {
    if !may_hold(IDLE + 10 * BEGUN) {
        eprintln!("skipped: the system does not let a process hold {IDLE} connections");
        return;
    }
    for kind in ["unix", "grpc", "mcp"] {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(kind, directory.path());
        let idle: Vec<_> = (0..IDLE).map(|_| server.connect()).collect();
        server.is_well().await;
        let of_idle = server.memory();
        let mut begun = Vec::new();
        for beginning in beginnings(kind) {
            for n in 0..BEGUN {
                let mut peer = server.connect();
                // A server may close before it has read all.
                let _ = peer.write_all(&beginning);
                if n % 2 == 0 {
                    peer.half_close();
                }
                begun.push(peer);
            }
        }
        server.is_well().await;
        let of_all = server.memory();
        eprintln!("{kind}: {of_idle} KiB with {IDLE} idle connections, {of_all} KiB with all");
        assert!(of_all < MEMORY, "{kind}: {of_idle} KiB, {of_all} KiB");
        drop((idle, begun));
        server.is_well().await;
    }
}

/// As many peers as flood at a time.
const FLOODING: usize = 8;
/// A peer that cannot send for so long has been stopped.
const STOPPED: Duration = Duration::from_secs(1);

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

/// The compressed headers of a call.
fn headers(path: &str) -> Vec<u8> {
    let text = |name: u8, text: &str| [&[name, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [vec![0x83, 0x86], text(4, path), text(1, "localhost")].concat()
}

/// What peers may send without end, and without reading an answer.
fn floods() -> Vec<(&'static str, Vec<u8>)> {
    let call = headers("/cpex.PluginService/GetPluginConfigs");
    let streams = || (1..200_000).step_by(2);
    let reset = |stream| {
        [frame(HEADERS, END_HEADERS, stream, &call), frame(RESET, 0, stream, &[0, 0, 0, 8])].concat()
    };
    // One long header that is told of again and again by its number.
    let name = [&[0x40, 1, b'x', 0x7f, 0x81, 0x1e][..], &[b'y'; 4000]].concat();
    let bomb = [call.clone(), name, vec![0xbe; 12_000]].concat();
    let asked = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &call);
    let no_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    vec![
        ("pings", frame(PING, 0, 0, &[0; 8]).repeat(200_000)),
        ("settings", frame(SETTINGS, 0, 0, &[]).repeat(200_000)),
        ("rapid reset", streams().flat_map(reset).collect()),
        (
            "continuations",
            [frame(HEADERS, 0, 1, &call), frame(CONTINUATION, 0, 1, &[0x40; 16_000]).repeat(2000)].concat(),
        ),
        (
            "headers that grow",
            (1..2000).step_by(2).flat_map(|stream| frame(HEADERS, END_HEADERS, stream, &bomb)).collect(),
        ),
        ("answers that nobody takes", [no_window, streams().flat_map(asked).collect()].concat()),
    ]
}

/// Sends all of it, until the server does not take any more.
fn flood(server: &Server, bytes: &[u8]) {
    let mut peer = TcpStream::connect(&server.address).unwrap();
    peer.set_write_timeout(Some(STOPPED)).unwrap();
    let _ = peer.write_all(bytes);
}

#[tokio::test]
async fn floods_are_survived_and_memory_is_bounded() {
    for kind in ["grpc", "mcp"] {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(kind, directory.path());
        server.is_well().await;
        let mut all: Vec<_> =
            floods().into_iter().map(|(name, bytes)| (name, [PREFACE, &*bytes].concat())).collect();
        if kind == "mcp" {
            let request = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
            all.push(("requests in a row", request.repeat(200_000)));
        }
        for (name, bytes) in all {
            thread::scope(|scope| {
                for _ in 0..FLOODING {
                    scope.spawn(|| flood(&server, &bytes));
                }
            });
            server.is_well().await;
            let memory = server.memory();
            eprintln!("{kind}, {name}: {memory} KiB");
            assert!(memory < MEMORY, "{kind}, {name}: {memory} KiB");
        }
    }
}
