//! What a contained program can do to other processes: nothing, nor outlive its host.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use world::{BOTH, User, World, copy_program, keeps_from, lets, users};

/// The C library, and whether a call succeeded.
const LIBC: &str = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
host = int(os.environ['HOST'])
";

#[test]
fn sends_no_signal_to_the_host() {
    keeps_from("import os; os.kill(int(os.environ['HOST']), 0); print('done')", &BOTH);
    keeps_from("import os; os.kill(os.getppid(), 0); assert os.getppid(); print('done')", &BOTH);
    keeps_from("import os; os.pidfd_open(int(os.environ['HOST'])); print('done')", &BOTH);
}

#[test]
fn changes_no_limit_of_the_host() {
    keeps_from(PRLIMIT, &BOTH);
    keeps_from(
        "import os; os.sched_setaffinity(int(os.environ['HOST']), os.sched_getaffinity(0)); print('done')",
        &BOTH,
    );
}

/// Sets what is set already.
const PRLIMIT: &str = "
import os, resource
host = int(os.environ['HOST'])
resource.prlimit(host, resource.RLIMIT_CORE, resource.prlimit(host, resource.RLIMIT_CORE))
print('done')";

#[test]
fn traces_nobody() {
    // PTRACE_SEIZE
    let trace = format!("{LIBC}\nassert libc.ptrace(0x4206, host, None, None) == 0\nprint('done')");
    keeps_from(&trace, &BOTH);
    let read = format!(
        "{LIBC}
class Iovec(ctypes.Structure):
    _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]
address = int(open('/proc/self/maps').readline().split('-')[0], 16)
mine = ctypes.create_string_buffer(8)
local, remote = Iovec(ctypes.addressof(mine), 8), Iovec(address, 8)
assert libc.process_vm_readv(os.getpid(), ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) == 8
print('done')"
    );
    keeps_from(&read, &BOTH);
}

#[test]
fn sees_no_other_process() {
    keeps_from("import os; assert os.getpid() > 2; print('done')", &BOTH);
    keeps_from("import os; os.listdir('/proc'); print('done')", &BOTH);
}

/// Says how many processes there can be at one time beside the first, twice: those of the first time are gone by the second.
const FORKS: &str = "
import os, signal
for _ in range(2):
    children = []
    try:
        while len(children) < 200:
            child = os.fork()
            if not child:
                signal.pause()
            children.append(child)
    except OSError:
        pass
    print(len(children))
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
";

/// As [`FORKS`], for threads.
const THREADS: &str = "
import threading
threading.stack_size(64 << 10)
stop = threading.Event()
threads = []
try:
    while len(threads) < 200:
        thread = threading.Thread(target=stop.wait)
        thread.start()
        threads.append(thread)
except RuntimeError:
    pass
print(len(threads))
stop.set()
for thread in threads:
    thread.join()
";

/// What the script says with each policy, for every user, on machines that can count.
#[track_caller]
fn counts(script: &str, policies: &[(&str, &str)]) {
    for user in users() {
        let world = World::new(user);
        assert!(world.run(r#""none""#, script).said.starts_with("200"), "{user:?}: the control fails");
        for (policy, said) in policies {
            let came = world.run(policy, script);
            if came.missing.iter().any(|missing| missing.starts_with("the number of processes")) {
                eprintln!("skipped: {:?}", came.missing);
            } else {
                assert_eq!(came.said, *said, "{user:?}: {policy}: {:?}", came.status());
            }
        }
    }
}

/// The kernel counts processes and threads together: who has no threads may have more processes.
#[test]
fn makes_as_many_processes_as_it_may() {
    counts(
        FORKS,
        &[
            (r#""default""#, "160\n160\n"),
            (r#"{"processes": 10}"#, "138\n138\n"),
            (r#"{"profile": "strict", "processes": 1}"#, "129\n129\n"),
            (r#"{"processes": 3, "threads": 4}"#, "7\n7\n"),
            (r#""strict""#, "0\n0\n"),
        ],
    );
    lets(
        "import subprocess; subprocess.run(['/bin/true'], check=True); print('done')",
        &[r#""default""#, r#"{"profile": "strict", "processes": 1}"#],
    );
    keeps_from(
        "import os; os.fork() or os._exit(0); os.wait(); print('done')",
        &[r#""strict""#, r#"{"processes": 0}"#],
    );
    keeps_from(
        "import os; os.posix_spawn('/bin/true', ['true'], {}); os.wait(); print('done')",
        &[r#""strict""#],
    );
}

#[test]
fn makes_as_many_threads_as_it_may() {
    counts(
        THREADS,
        &[(r#""default""#, "160\n"), (r#"{"processes": 10}"#, "138\n"), (r#""strict""#, "128\n")],
    );
    // Pools take what they need.
    let pool = "
from concurrent.futures import ThreadPoolExecutor
import threading
barrier = threading.Barrier(64)
with ThreadPoolExecutor(64) as pool:
    list(pool.map(lambda _: barrier.wait(60), range(64)))
print('done')
";
    lets(pool, &BOTH);
}

#[test]
fn leaves_its_containment_on_no_way() {
    let namespaces = |flag: u32| format!("{LIBC}\nassert libc.unshare({flag:#x}) == 0\nprint('done')");
    for flag in [0x1000_0000_u32, 0x1002_0000, 0x1000_0000 | 0x2000_0000, 0x1000_0000 | 0x4000_0000] {
        keeps_from(&namespaces(flag), &BOTH);
    }
    // clone(CLONE_NEWUSER | SIGCHLD)
    let clone = format!(
        "{LIBC}
child = libc.syscall({}, 0x10000011, 0, 0, 0, 0)
if child == 0:
    os._exit(0)
assert child > 0
os.waitpid(child, 0)
print('done')",
        if cfg!(target_arch = "x86_64") { 56 } else { 220 }
    );
    keeps_from(&clone, &BOTH);
    // PR_SET_PDEATHSIG
    keeps_from(&format!("{LIBC}\nassert libc.prctl(1, 0) == 0\nprint('done')"), &BOTH);
    if users().contains(&User::Unprivileged) {
        let root = World::new(User::Myself);
        root.keeps_from("import os; os.chroot('.'); print('done')", &BOTH);
        root.keeps_from("import os; os.setuid(1000); print('done')", &BOTH);
        root.keeps_from("import os; os.chown('.', 1000, 1000); os.chown('.', 0, 0); print('done')", &BOTH);
        let mount = format!(
            "{LIBC}\nassert libc.mount(b'none', b'.', b'tmpfs', 0, None) == 0\nlibc.umount(b'.')\nprint('done')"
        );
        root.keeps_from(&mount, &BOTH);
    }
}

/// A program that is set-user-ID makes who runs it its owner, but not a contained one.
#[test]
fn gains_no_privileges() {
    if !users().contains(&User::Unprivileged) {
        eprintln!("skipped: only root can make a set-user-ID program to try it with");
        return;
    }
    let world = World::new(User::Unprivileged);
    let program = world.path().join("package/id");
    copy_program(Path::new("/usr/bin/id"), &program);
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o4755)).unwrap();
    let script = "
import os, subprocess
program = os.environ['WORLD'] + '/package/id'
assert subprocess.run([program, '-u'], capture_output=True, check=True).stdout == b'0\\n'
print('done')
";
    world.keeps_from(script, &[r#""default""#, r#"{"profile": "strict", "processes": 4}"#]);
}

/// The program tells the number by which the host sees a process of it, through a file that it holds a lock of.
const DAEMON: &str = "
import fcntl, os, time
os.chdir(os.environ['WORLD'] + '/shared')
file = open('alive', 'w')
fcntl.flock(file, fcntl.LOCK_EX)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in 0, 1, 2:
            os.close(fd)
        open('ready', 'w').close()
        time.sleep(600)
    os._exit(0)
";

/// Its own folder is seen by nobody else.
const SHARED: &str = r#"{"write": ["shared"]}"#;

/// Whether a process of the program still has the file that its first one locked.
fn lives(world: &World) -> bool {
    let file = std::fs::File::open(world.path().join("shared/alive")).unwrap();
    flock(&file, FlockOperation::NonBlockingLockExclusive).is_err()
}

fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn what_it_leaves_behind_ends_with_it() {
    let script = format!("{DAEMON}\nwhile not os.path.exists('ready'): time.sleep(0.01)");
    for user in users() {
        let free = World::new(user);
        free.run(r#""none""#, &script);
        assert!(lives(&free), "the control fails: nothing was left behind");
        end_all(&free);
        let contained = World::new(user);
        contained.run(SHARED, &script);
        assert!(!lives(&contained), "a daemon outlives its program");
    }
}

#[test]
fn nothing_outlives_a_host_that_is_killed() {
    let script = format!("{DAEMON}\ntime.sleep(600)");
    for user in users() {
        for (policy, outlives) in [(r#""none""#, true), (SHARED, false)] {
            let world = World::new(user);
            let mut host = world.host(policy, &script);
            assert!(within(LONG, || world.path().join("shared/ready").exists()), "it starts");
            assert!(lives(&world));
            host.kill().unwrap();
            host.wait().unwrap();
            if outlives {
                assert!(!within(Duration::from_millis(300), || !lives(&world)), "the control fails");
                end_all(&world);
            } else {
                assert!(within(LONG, || !lives(&world)), "{user:?}: something outlives a killed host");
            }
        }
    }
}

#[test]
fn even_uncontained_it_dies_with_its_host() {
    let script = "
import fcntl, os, time
os.chdir(os.environ['WORLD'] + '/shared')
file = open('alive', 'w')
fcntl.flock(file, fcntl.LOCK_EX)
open('ready', 'w').close()
time.sleep(600)
";
    for user in users() {
        for policy in [r#""none""#, SHARED, r#"{"profile": "strict", "write": ["shared"]}"#] {
            let world = World::new(user);
            let mut host = world.host(policy, script);
            assert!(within(LONG, || world.path().join("shared/ready").exists()), "it starts");
            host.kill().unwrap();
            host.wait().unwrap();
            assert!(within(LONG, || !lives(&world)), "{user:?}: {policy}: it outlives a killed host");
        }
    }
}

/// Ends who holds the lock: the file's holders are found by their open files.
fn end_all(world: &World) {
    let held = world.path().join("shared/alive");
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        let files = std::fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten();
        if files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|path| path == held) {
            kill_process(pid, Signal::KILL).unwrap();
            assert!(within(LONG, || test_kill_process(pid).map_err(io::Error::from).is_err()));
        }
    }
}
