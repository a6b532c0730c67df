//! How much of the machine a contained program can take.
#![cfg(target_os = "linux")]

mod world;

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;
use world::{BOTH, World, keeps_from, lets, users};

const SMALL: [&str; 2] = [r#"{"memory": "128MiB"}"#, r#"{"profile": "strict", "memory": "128MiB"}"#];

#[test]
fn takes_as_much_memory_as_it_may() {
    keeps_from("data = bytearray(256 << 20); print('done')", &SMALL);
    keeps_from("data = [bytes([n % 256]) * (1 << 20) for n in range(256)]; print('done')", &SMALL);
    keeps_from("data = [bytearray(100) for _ in range(2_000_000)]; print('done')", &SMALL);
    lets("data = bytearray(64 << 20); print('done')", &SMALL);
}

/// Kinds of memory that the limit would not count.
#[test]
fn takes_no_memory_that_is_not_counted() {
    keeps_from("import mmap; mmap.mmap(-1, 256 << 20).write(bytes(4096)); print('done')", &SMALL);
    let flags = "import mmap; mmap.mmap(-1, 256 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | {}); print('done')";
    // MAP_GROWSDOWN counts as a stack.
    keeps_from(&flags.replace("{}", "0x100"), &SMALL);
    keeps_from("import os; os.ftruncate(os.memfd_create('memory'), 256 << 20); print('done')", &SMALL);
    let system_five = "
import ctypes
libc = ctypes.CDLL(None)
segment = libc.shmget(0, 256 << 20, 0o1600)
assert segment >= 0
libc.shmctl(segment, 0, None)
print('done')";
    keeps_from(system_five, &SMALL);
    // Tables of pages that are only read.
    keeps_from(
        "import mmap; mmap.mmap(-1, 1 << 40, mmap.MAP_PRIVATE, mmap.PROT_READ); print('done')",
        &SMALL,
    );
}

#[test]
fn takes_as_much_time_as_it_may() {
    let script = "
import time
while time.process_time() < 2.5:
    pass
print('done')";
    keeps_from(script, &[r#"{"cpu_seconds": 1}"#]);
    // It cannot catch the end.
    let stubborn = format!("import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n{script}");
    for user in users() {
        let came = World::new(user).run(r#"{"profile": "strict", "cpu_seconds": 1}"#, &stubborn);
        assert_eq!(came.status().signal(), Some(Signal::XCPU.as_raw()), "{came:?}");
    }
}

/// Fills its folder with files of this size, up to this number, then makes room again.
fn filling(size: &str, most: u32) -> String {
    format!(
        "
import errno, os
made = 0
try:
    while made < {most}:
        with open(f'{{made}}', 'wb') as file:
            file.write(bytes({size}))
        made += 1
except OSError as error:
    assert error.errno == errno.ENOSPC, error
    print(made)
    os.remove('0')
    open('0', 'wb').write(bytes({size}))
else:
    print('done')
for number in range(made + 1):
    if os.path.exists(f'{{number}}'):
        os.remove(f'{{number}}')
assert os.listdir() == []"
    )
}

#[test]
fn fills_no_disk() {
    for user in users() {
        let world = World::new(user);
        for (script, said) in [(filling("1 << 20", 16), 8), (filling("0", 4096), 2047)] {
            assert!(world.run(r#""none""#, &script).done(), "{user:?}: the control fails");
            for policy in [r#"{"scratch": "8MiB"}"#, r#"{"profile": "strict", "scratch": "8MiB"}"#] {
                let came = world.run(policy, &script);
                assert_eq!(came.said, format!("{said}\n"), "{user:?}: {policy}");
                assert!(came.status().success(), "{user:?}: {policy}: {came:?}");
            }
            assert!(world.run(r#"{"scratch": "unlimited"}"#, &script).done(), "{user:?}: unlimited");
        }
        // What else takes memory: more names of a file, and attributes.
        for act in ["os.link('0', f'{n}')", "os.setxattr('0', f'user.{n}', bytes(1000))"] {
            let script =
                format!("import os; open('0', 'w').close()\nfor n in range(1, 4096): {act}\nprint('done')");
            assert!(!world.run(r#"{"scratch": "8MiB"}"#, &script).done(), "{user:?}: {act}");
        }
    }
}

/// Neither its host nor the next one sees what it has written.
#[test]
fn leaves_nothing_in_its_folder() {
    let script = "
import os
print(os.listdir())
open('file', 'w').write('text')";
    for user in users() {
        let world = World::new(user);
        for _ in 0..2 {
            let came = world.run(r#""strict""#, script);
            assert_eq!((came.said.as_str(), came.status().success()), ("[]\n", true), "{user:?}");
        }
        assert_eq!(std::fs::read_dir(world.path().join("scratch/home")).into_iter().flatten().count(), 0);
    }
}

#[test]
fn opens_as_many_files_as_it_may() {
    let script = "
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (400, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
files = [open('/dev/null') for _ in range(300)]
print('done')";
    keeps_from(script, &BOTH);
    lets("files = [open('/dev/null') for _ in range(100)]; print('done')", &BOTH);
}

#[test]
fn raises_no_limit() {
    let script = "
import resource
hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
assert hard == 128 << 20
try:
    resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))
except (OSError, ValueError):
    print('done')";
    lets(script, &SMALL);
}

#[test]
fn leaves_no_dump() {
    lets("import resource; assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0); print('done')", &BOTH);
}
