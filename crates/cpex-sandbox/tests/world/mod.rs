//! A host that runs Python programs, contained and not.
#![allow(dead_code, reason = "each test program uses some of it")]

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use cpex_sandbox::{Basis, Child, Policy, Program};

/// A folder of the host: `scratch` for the child, `secret.txt` that it must not see.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
}

/// What came of a program.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) status: ExitStatus,
    /// Of both streams.
    pub(crate) said: String,
}

impl Came {
    /// The program prints `done` once it has done what it tries.
    pub(crate) fn done(&self) -> bool {
        self.said.lines().any(|line| line == "done")
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("cpex-world-").tempdir().unwrap();
        std::fs::create_dir(folder.path().join("scratch")).unwrap();
        std::fs::write(folder.path().join("secret.txt"), "of the host").unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn basis(&self) -> Basis {
        Basis::new(self.path(), self.path().join("scratch")).read(&python().prefix)
    }

    /// Runs a script until it ends.
    pub(crate) fn run(&self, policy: &str, script: &str) -> Came {
        let (child, mut output) = self.start(policy, script);
        let mut said = String::new();
        output.read_to_string(&mut said).unwrap();
        Came { status: wait(&child), said }
    }

    /// Starts a script; what it writes can be read.
    pub(crate) fn start(&self, policy: &str, script: &str) -> (Child, UnixStream) {
        let policy: Policy = serde_json::from_str(policy).unwrap();
        let prepared = policy.prepare(&self.basis()).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let program = Program::new(&python().program)
            .args(["-I", "-c", script])
            .env("WORLD", self.path())
            .env("HOST", std::process::id().to_string())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs);
        (prepared.spawn(program).unwrap(), ours)
    }

    /// The script does what it tries without a sandbox, and does not in each of these.
    #[track_caller]
    pub(crate) fn keeps_from(&self, script: &str, policies: &[&str]) {
        let free = self.run(r#""none""#, script);
        assert!(free.done(), "the control fails: {free:?}");
        for policy in policies {
            let contained = self.run(policy, script);
            assert!(!contained.done(), "{policy} does not keep it from that: {contained:?}");
        }
    }
}

pub(crate) const BOTH: [&str; 2] = [r#""default""#, r#""strict""#];

pub(crate) fn wait(child: &Child) -> ExitStatus {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(child.wait())
}

pub(crate) struct Python {
    pub(crate) program: PathBuf,
    pub(crate) prefix: PathBuf,
}

pub(crate) fn python() -> &'static Python {
    static PYTHON: OnceLock<Python> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let name = std::env::var_os("CPEX_SANDBOX_PYTHON").unwrap_or("python3".into());
        let asked = Command::new(name).args(["-c", "import sys; print(sys.executable); print(sys.base_prefix)"]).output();
        let text = String::from_utf8(asked.expect("python3 is there").stdout).unwrap();
        let mut lines = text.lines().map(PathBuf::from);
        Python { program: lines.next().unwrap().canonicalize().unwrap(), prefix: lines.next().unwrap() }
    })
}
