//! Starting, waiting for and ending a program.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;

use cpex_sandbox::{Basis, Child, Policy, Prepared, Profile, Program};

const PROFILES: [Profile; 3] = [Profile::None, Profile::Default, Profile::Strict];

fn prepared(profile: Profile) -> (tempfile::TempDir, Prepared) {
    let folder = tempfile::tempdir().unwrap();
    let prepared = Policy::of(profile).prepare(&Basis::new(folder.path(), folder.path())).unwrap();
    (folder, prepared)
}

fn shell(script: &str) -> Program {
    Program::new("/bin/sh").args(["-c", script])
}

fn wait(child: &Child) -> std::process::ExitStatus {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(child.wait())
}

#[test]
fn tells_how_it_ended() {
    for profile in PROFILES {
        let (_folder, prepared) = prepared(profile);
        assert_eq!(wait(&prepared.spawn(shell("exit 3")).unwrap()).code(), Some(3));
        // The first process of a namespace does not take signals of its own; the second does.
        assert_eq!(wait(&prepared.spawn(shell("exit 0")).unwrap()).code(), Some(0));
        let child = prepared.spawn(shell("read line")).unwrap();
        let status = wait(&child);
        assert_eq!((child.status(), status.code()), (Some(status), Some(1)), "its input is empty");
        child.kill().unwrap();
    }
}

#[test]
fn is_killed_when_it_is_dropped_or_told_to() {
    for profile in PROFILES {
        let (_folder, prepared) = prepared(profile);
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let (_input, input) = UnixStream::pair().unwrap();
        let child = prepared.spawn(shell("echo up; read line").stdin(input).stdout(theirs)).unwrap();
        let mut up = [0; 3];
        ours.read_exact(&mut up).unwrap();
        drop(child);
        assert_eq!(ours.read(&mut up).unwrap(), 0, "its end of the stream is closed");

        let (_input, input) = UnixStream::pair().unwrap();
        let child = prepared.spawn(shell("read line").stdin(input)).unwrap();
        let id = child.id();
        assert_eq!(child.end().unwrap().signal(), Some(9));
        assert!(!std::path::Path::new(&format!("/proc/{}", id)).exists(), "nothing of it is left");
    }
}

/// The kernel ends a child with the thread that made it. Threads of pools retire; this one does not.
#[test]
fn outlives_the_thread_that_asked_for_it() {
    for profile in PROFILES {
        let (_folder, prepared) = prepared(profile);
        let (input, theirs) = UnixStream::pair().unwrap();
        let program = shell("read line; exit 7").stdin(theirs);
        let child = std::thread::spawn(move || prepared.spawn(program)).join().unwrap().unwrap();
        assert_eq!(child.status(), None);
        drop(input);
        assert_eq!(wait(&child).code(), Some(7));
    }
}

#[test]
fn a_step_that_fails_is_named() {
    for profile in PROFILES {
        let (folder, prepared) = prepared(profile);
        let error = prepared.spawn(Program::new("/bin/no-such-program")).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("executing it: "), "{error}");
        let error = prepared.spawn(shell("true").folder(folder.path().join("missing"))).unwrap_err();
        assert!(error.to_string().starts_with("entering its folder: "), "{error}");
    }
}

#[test]
fn has_the_environment_that_it_is_given() {
    for profile in PROFILES {
        let (_folder, prepared) = prepared(profile);
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let program =
            Program::new("/usr/bin/env").env("GREETING", "hello").env("PATH", "/bin").stdout(theirs);
        assert!(wait(&prepared.spawn(program).unwrap()).success());
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        let names: Vec<_> = said.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert!(said.contains("GREETING=hello\n") && said.contains("PATH=/bin\n"), "{said}");
        assert_eq!(names.iter().filter(|&&name| name == "PATH").count(), 1, "{said}");
        assert_eq!(names.contains(&"CARGO_PKG_NAME"), profile == Profile::None, "{said}");
    }
}
