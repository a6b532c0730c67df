//! Hosts, of this user and of one without privileges, that run Python programs, contained and not.
//!
//! A host is this test program again, as another process and perhaps another user, told by a variable what to run.
#![allow(clippy::unwrap_used, reason = "what is no test here is called by tests")]
#![allow(dead_code, reason = "each test program uses some of it")]

use std::io::Read;
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::LazyLock;

use cpex_sandbox::{Basis, Child, Policy, Prepared, Program, Refusal};
use serde::{Deserialize, Serialize};

pub(crate) const BOTH: [&str; 2] = [r#""default""#, r#""strict""#];

/// Who a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Myself,
    /// Nobody, when the tests run as root.
    Unprivileged,
    /// Where nobody can make namespaces, as in most containers.
    Confined,
}

const NOBODY: u32 = 65534;

/// Everyone that the tests can be.
pub(crate) fn users() -> Vec<User> {
    if !rustix::process::geteuid().is_root() {
        return vec![User::Myself];
    }
    assert!(
        Path::new("/usr/bin/python3").exists(),
        "a Python that everyone may run is needed to test as another user"
    );
    vec![User::Myself, User::Unprivileged]
}

/// A folder of the host: `scratch` for the program, `package` that it reads, `shared` that it may be let write to, `secret.txt`
/// that it must not see.
pub(crate) struct World {
    folder: tempfile::TempDir,
    user: User,
}

/// What a host is to run.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    folder: PathBuf,
    policy: serde_json::Value,
    script: String,
    python: Python,
}

/// What came of a program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Came {
    /// As the system encodes it.
    status: i32,
    /// On both streams.
    pub(crate) said: String,
    /// What was missing, and whether it was refused for that.
    pub(crate) missing: Vec<String>,
    pub(crate) refused: bool,
}

impl Came {
    /// A script says `done` once it has done what it tries.
    pub(crate) fn done(&self) -> bool {
        self.said.lines().any(|line| line == "done")
    }

    pub(crate) fn status(&self) -> ExitStatus {
        ExitStatus::from_raw(self.status)
    }
}

const JOB: &str = "CPEX_SANDBOX_TEST_JOB";

impl World {
    pub(crate) fn new(user: User) -> Self {
        let folder = tempfile::Builder::new().prefix("cpex-world-").tempdir().unwrap();
        let path = folder.path();
        for name in ["scratch", "package", "shared"] {
            std::fs::create_dir(path.join(name)).unwrap();
        }
        std::fs::write(path.join("secret.txt"), "of the host").unwrap();
        std::fs::write(path.join("package/code.py"), "trusted = True").unwrap();
        if user == User::Unprivileged {
            copy_program(&std::env::current_exe().unwrap(), &path.join("host"));
            for name in ["", "scratch", "package", "shared", "secret.txt", "package/code.py"] {
                chown(path.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        Self { folder, user }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a host that runs a script; what it came to is in `result.json`.
    pub(crate) fn host(&self, policy: &str, script: &str) -> std::process::Child {
        let job = Job {
            folder: self.path().to_owned(),
            policy: serde_json::from_str(policy).unwrap(),
            script: script.to_owned(),
            python: Python::of(self.user).clone(),
        };
        let own = self.path().join("host");
        let host = if own.exists() { own } else { std::env::current_exe().unwrap() };
        let mut command = Command::new(&host);
        if self.user == User::Confined {
            command = Command::new("unshare");
            let confine = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"";
            command.args(["--user", "--map-root-user", "sh", "-c", confine]).arg(&host);
        }
        command
            .args(["--exact", "world::host", "--nocapture"])
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        if self.user == User::Unprivileged {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.env(JOB, serde_json::to_string(&job).unwrap()).spawn().unwrap()
    }

    /// Runs a script until it ends.
    pub(crate) fn run(&self, policy: &str, script: &str) -> Came {
        let status = self.host(policy, script).wait().unwrap();
        assert!(status.success(), "the host itself failed: {status}");
        serde_json::from_str(&std::fs::read_to_string(self.path().join("result.json")).unwrap()).unwrap()
    }

    /// The script does what it tries without a sandbox, and does not in each of these.
    #[track_caller]
    pub(crate) fn keeps_from(&self, script: &str, policies: &[&str]) {
        let free = self.run(r#""none""#, script);
        assert!(free.done(), "{:?}: the control fails: {free:?}", self.user);
        for policy in policies {
            let contained = self.run(policy, script);
            assert!(!contained.refused, "{:?}: {policy}: {contained:?}", self.user);
            assert!(!contained.done(), "{:?}: {policy} does not keep it from that: {contained:?}", self.user);
        }
    }
}

/// Copies a program that is then run. Another process does it: one that this process forks meanwhile, in another test, would
/// have the copy open to write for a moment, and the system runs no program that is open to write.
pub(crate) fn copy_program(from: &Path, to: &Path) {
    assert!(Command::new("cp").args([from, to]).status().unwrap().success(), "{to:?} is copied");
}

/// For every user that the tests can be.
#[track_caller]
pub(crate) fn keeps_from(script: &str, policies: &[&str]) {
    for user in users() {
        World::new(user).keeps_from(script, policies);
    }
}

/// For every user: contained like this, it does what it tries.
#[track_caller]
pub(crate) fn lets(script: &str, policies: &[&str]) {
    for user in users() {
        let world = World::new(user);
        for policy in policies {
            let came = world.run(policy, script);
            assert!(came.done(), "{user:?}: {policy} keeps it from that: {came:?}");
        }
    }
}

/// Not a test: the host that the others start.
#[test]
fn host() {
    let Ok(job) = std::env::var(JOB) else { return };
    let job: Job = serde_json::from_str(&job).unwrap();
    let came = match prepare(&job) {
        Ok(prepared) => {
            let (child, mut output) = start(&job, &prepared);
            let mut said = String::new();
            output.read_to_string(&mut said).unwrap();
            let missing = prepared.missing().iter().map(ToString::to_string).collect();
            Came { status: wait(&child).into_raw(), said, missing, refused: false }
        }
        Err(Refusal::Missing { missing, .. }) => {
            let missing = missing.iter().map(ToString::to_string).collect();
            Came { status: 0, said: String::new(), missing, refused: true }
        }
        Err(other) => panic!("{other}"),
    };
    std::fs::write(job.folder.join("result.json"), serde_json::to_string(&came).unwrap()).unwrap();
}

fn prepare(job: &Job) -> Result<Prepared, Refusal> {
    let policy = Policy::deserialize(&job.policy).unwrap();
    let basis = Basis::new(&job.folder, job.folder.join("scratch"))
        .read(&job.python.prefix)
        .read(job.folder.join("package"));
    policy.prepare(&basis)
}

/// Starts a script; what it writes can be read.
fn start(job: &Job, prepared: &Prepared) -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let program = Program::new(&job.python.program)
        .args(["-I", "-c", &job.script])
        .env("WORLD", &job.folder)
        .env("HOST", std::process::id().to_string())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs);
    (prepared.spawn(program).unwrap(), ours)
}

pub(crate) fn wait(child: &Child) -> ExitStatus {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(child.wait())
}

/// An interpreter that a user may run.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Python {
    program: PathBuf,
    prefix: PathBuf,
}

impl Python {
    fn of(user: User) -> &'static Self {
        static MINE: LazyLock<Python> = LazyLock::new(|| Python::ask("python3"));
        static ANYBODYS: LazyLock<Python> = LazyLock::new(|| Python::ask("/usr/bin/python3"));
        if user == User::Unprivileged { &ANYBODYS } else { &MINE }
    }

    fn ask(name: &str) -> Self {
        let asked = Command::new(name)
            .args(["-c", "import sys; print(sys.executable); print(sys.base_prefix)"])
            .output();
        let text = String::from_utf8(asked.expect("python3 is there").stdout).unwrap();
        let mut lines = text.lines().map(PathBuf::from);
        Self { program: lines.next().unwrap().canonicalize().unwrap(), prefix: lines.next().unwrap() }
    }
}
