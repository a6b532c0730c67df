//! How workers are started, and what they may do.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cpex_remote::balance::BreakerConfig;
use cpex_sandbox::Policy;

/// The workers of one plugin.
#[derive(Clone, Debug)]
pub struct WorkersConfig {
    /// The plugin's name, for errors and logs.
    pub plugin: String,
    /// What is started.
    pub launch: Launch,
    /// What a worker is told of the plugin: an object, as JSON.
    pub hello: Arc<[u8]>,
    /// How many there are.
    pub count: usize,
    /// Bytes of a message, both ways.
    pub limit: usize,
    /// When one is ended.
    pub bounds: Bounds,
    /// When none is started for a while.
    pub breaker: BreakerConfig,
    /// A worker that has lived so long is a good one, like one that has answered a call: the breaker forgets those before
    /// it.
    pub proven_after: Duration,
}

/// What is started: a process that reads frames from its standard input, a socket, and answers there.
#[derive(Clone)]
pub struct Launch {
    /// The interpreter.
    pub program: PathBuf,
    /// What it is given.
    pub arguments: Vec<OsString>,
    /// All of its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it runs; here, if nowhere is named.
    pub folder: Option<PathBuf>,
    /// What contains it; nothing, if there is none.
    pub sandbox: Option<Sandbox>,
}

/// What contains a worker.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// What the plugin may do.
    pub policy: Policy,
    /// The folder that the policy's relative paths are relative to.
    pub root: PathBuf,
    /// Files and folders that the worker itself needs.
    pub readable: Vec<PathBuf>,
}

/// When a worker is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For it to start and load the plugin.
    pub start: Duration,
    /// For it to stop what was given up.
    pub give_up: Duration,
    /// For its event loop to turn while calls are under way.
    pub hang: Duration,
    /// Without a call.
    pub idle: Option<Duration>,
    /// Bytes of memory that it may use.
    pub memory: Option<u64>,
    /// For it to end when it is told to.
    pub shutdown: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(30),
            give_up: Duration::from_secs(1),
            hang: Duration::from_secs(30),
            idle: None,
            memory: None,
            shutdown: Duration::from_secs(2),
        }
    }
}

impl WorkersConfig {
    /// The defaults: one worker, messages of 16 MiB.
    #[must_use]
    pub fn new(plugin: impl Into<String>, launch: Launch, hello: impl Into<Arc<[u8]>>) -> Self {
        Self {
            plugin: plugin.into(),
            launch,
            hello: hello.into(),
            count: 1,
            limit: 16 * 1024 * 1024,
            bounds: Bounds::default(),
            breaker: BreakerConfig { successes: 1, ..BreakerConfig::default() },
            proven_after: Duration::from_secs(10),
        }
    }
}

/// What is done with the usual variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usual {
    /// They are handed on.
    Passed,
    /// A sandbox has its own.
    Left,
}

/// The environment of a worker: of this process's own the usual variables (`PATH`, `HOME`, `LANG`, `LC_*`, `TMPDIR`, and
/// `PLUGINS_CONFIG_FILE`, where the plugins' configuration is), and what is named.
#[must_use]
pub fn environment(passed: &[String], usual: Usual) -> Vec<(OsString, OsString)> {
    const USUAL: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "PLUGINS_CONFIG_FILE"];
    let passed: BTreeSet<&str> = passed.iter().map(String::as_str).collect();
    std::env::vars_os()
        .filter(|(name, _)| {
            name.to_str().is_some_and(|name| {
                let is_usual = usual == Usual::Passed && (USUAL.contains(&name) || name.starts_with("LC_"));
                is_usual || passed.contains(name)
            })
        })
        .collect()
}

impl fmt::Debug for Launch {
    /// Values of the environment may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        f.debug_struct("Launch")
            .field("program", &self.program)
            .field("arguments", &self.arguments)
            .field("environment", &names)
            .field("folder", &self.folder)
            .field("sandbox", &self.sandbox)
            .finish()
    }
}
