//! The file: full, moved away, deleted, shared, torn.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{lines, numbers, open, read, record, write};

#[test]
fn a_full_file_is_moved_away_and_the_last_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let log = open(json!({"path": path, "max_bytes": 4096, "keep": 2, "sync": true}));
    for number in 0..200 {
        write(&log, number).unwrap();
    }
    let lines = lines(&path);
    let numbers = numbers(&lines);
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1) && numbers.last() == Some(&199));
    assert!(numbers[0] > 0, "the oldest were dropped");
    assert_eq!(lines.last().unwrap()["time"], "1970-01-01T00:03:19.000000Z");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    for entry in fs::read_dir(folder.path()).unwrap() {
        assert!(entry.unwrap().metadata().unwrap().len() <= 4096);
    }
}

#[cfg(unix)]
#[test]
fn others_cannot_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    write(&open(json!({"path": path})), 1).unwrap();
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// What `logrotate` does, and what an operator does by mistake.
#[test]
fn a_file_that_is_moved_away_or_deleted_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let log = open(json!({"path": path}));
    write(&log, 1).unwrap();
    fs::rename(&path, folder.path().join("old")).unwrap();
    write(&log, 2).unwrap();
    assert_eq!(numbers(&lines(&path)), [2]);
    fs::remove_file(&path).unwrap();
    write(&log, 3).unwrap();
    assert_eq!(numbers(&lines(&path)), [3]);
}

#[test]
fn without_its_folder_nothing_counts_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("below");
    let path = below.join("audit.jsonl");
    fs::create_dir(&below).unwrap();
    let log = open(json!({"path": path}));
    write(&log, 1).unwrap();
    fs::remove_dir_all(&below).unwrap();
    let error = write(&log, 2).unwrap_err().to_string();
    assert!(
        error.starts_with("the audit log \"") && error.contains("audit.jsonl\" cannot be written"),
        "{error}"
    );
    fs::create_dir(&below).unwrap();
    write(&log, 3).unwrap();
    assert_eq!(numbers(&lines(&path)), [3]);
}

/// A host that was killed in the middle of a line spoils that line, and not the next one.
#[test]
fn a_torn_line_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let log = open(json!({"path": path}));
    let tear = || OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"time\":\"19").unwrap();
    write(&log, 1).unwrap();
    tear();
    write(&log, 2).unwrap();
    tear();
    write(&open(json!({"path": path})), 3).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let whole: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!((numbers(&whole), text.lines().count()), (vec![1, 2, 3], 5));
}

/// A process that was stopped in the middle of a line does not stop all others: they wait for a few milliseconds, which
/// a second tells from the patience that would hold up a host.
#[test]
fn a_lock_that_is_not_released_fails_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let log = open(json!({"path": path}));
    log.open().unwrap();
    let other = OpenOptions::new().append(true).open(&path).unwrap();
    fs4::FileExt::lock(&other).unwrap();
    let begun = Instant::now();
    let error = write(&log, 1).unwrap_err().to_string();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(error.ends_with("another process does not release its lock"), "{error}");
    drop(other);
    write(&log, 2).unwrap();
    assert_eq!(numbers(&lines(&path)), [2]);
}

/// `cpex check` makes plugins and starts none.
#[test]
fn the_file_is_made_when_the_log_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let log = open(json!({"path": path}));
    assert!(!path.exists());
    log.open().unwrap();
    assert!(path.exists());
    let late = open(json!({"path": path}));
    fs::remove_dir_all(folder.path()).unwrap();
    let error = late.open().unwrap_err();
    assert!(error.to_string().starts_with("path: it cannot be opened: No such file"), "{error}");
}

#[test]
fn what_is_no_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing/audit.jsonl");
    for (config, error) in [
        (json!({"path": folder.path()}), "path: it cannot be opened: it is no regular file"),
        (json!({"path": "/dev/null"}), "path: it cannot be opened: it is no regular file"),
        (json!({"path": missing}), "path: it cannot be opened: No such file"),
        (json!({"path": folder.path().join("a"), "max_bytes": 10}), "max_bytes: give at least 4096"),
        (json!({}), "path: expected the path of a file"),
        (json!({"path": "a", "kept": 1}), "unknown field `kept`"),
    ] {
        let told = read(config.clone()).map(|_| ()).unwrap_err();
        assert!(told.starts_with(error), "{config}: {told}");
    }
}

const LINES: u64 = 400;

/// Four processes write one file and rotate it under each other's hands: no line is lost or torn.
#[test]
fn processes_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let children: Vec<_> =
        (0..4).map(|_| child("a_process_that_shares_a_file", &path).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let mut numbers = numbers(&lines(&path));
    numbers.sort_unstable();
    let expected: Vec<u64> = (0..LINES).flat_map(|number| [number; 4]).collect();
    assert_eq!(numbers, expected);
}

#[test]
#[ignore = "run by processes_share_a_file"]
fn a_process_that_shares_a_file() {
    let log = open(json!({"path": path_of_parent(), "max_bytes": 4096, "keep": 1000}));
    for number in 0..LINES {
        // Whoever holds the lock may have lost the processor.
        while let Err(error) = write(&log, number) {
            assert!(error.to_string().ends_with("another process does not release its lock"), "{error}");
        }
    }
}

/// A limit on the size of files stands for a full disk: the last line fits in part.
#[cfg(unix)]
#[test]
fn a_full_disk_fails_and_leaves_no_half_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let mut limited = Command::new("bash");
    let child = child("a_process_with_a_full_disk", &path);
    limited.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$@\"", "bash"]);
    limited.arg(child.get_program()).args(child.get_args()).env("CPEX_TEST_AUDIT_LOG", &path);
    let done = limited.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let numbers = numbers(&lines(&path));
    assert!(numbers.len() > 10 && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
#[ignore = "run by a_full_disk_fails_and_leaves_no_half_line"]
fn a_process_with_a_full_disk() {
    let path = path_of_parent();
    let log = open(json!({"path": path, "include_payload": true}));
    let payload = Value::from("x".repeat(50));
    let now = std::time::SystemTime::now();
    let written =
        (0..100).take_while(|number| log.write(record(&number.to_string(), Some(&payload)), now).is_ok());
    assert!(written.count() < 100, "the disk was never full");
    assert!(fs::read_to_string(&path).unwrap().ends_with('\n'));
}

/// This very program, which runs one test that is ignored otherwise.
fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", &format!("file::{test}")]);
    command.env("CPEX_TEST_AUDIT_LOG", path).stdout(Stdio::null());
    command
}

fn path_of_parent() -> PathBuf {
    std::env::var_os("CPEX_TEST_AUDIT_LOG").unwrap().into()
}
