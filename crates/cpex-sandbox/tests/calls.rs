//! Which system calls a contained program can make.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod world;

use world::{BOTH, keeps_from, lets};

/// Numbers on x86-64. Without a sandbox each of them exists, whatever it says of these arguments.
const FORBIDDEN: [(&str, u32); 32] = [
    ("ptrace", 101),
    ("personality", 135),
    ("chroot", 161),
    ("mount", 165),
    ("umount2", 166),
    ("reboot", 169),
    ("init_module", 175),
    ("add_key", 248),
    ("keyctl", 250),
    ("unshare", 272),
    ("perf_event_open", 298),
    ("inotify_init1", 294),
    ("name_to_handle_at", 303),
    ("open_by_handle_at", 304),
    ("setns", 308),
    ("process_vm_readv", 310),
    ("process_vm_writev", 311),
    ("kcmp", 312),
    ("finit_module", 313),
    ("seccomp", 317),
    ("memfd_create", 319),
    ("kexec_file_load", 320),
    ("bpf", 321),
    ("userfaultfd", 323),
    ("io_uring_setup", 425),
    ("open_tree", 428),
    ("move_mount", 429),
    ("fsopen", 430),
    ("clone3", 435),
    ("openat2", 437),
    ("pidfd_getfd", 438),
    ("mount_setattr", 442),
];

fn answers(number: u32) -> String {
    format!(
        "
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
result = libc.syscall({number}, -1, -1, -1, -1, -1, -1)
assert result == -1
print(errno.errorcode[ctypes.get_errno()])"
    )
}

#[test]
fn what_is_not_listed_does_not_exist() {
    let script =
        FORBIDDEN.map(|(name, number)| answers(number) + &format!("\nprint({name:?}, ctypes.get_errno())"));
    let script = script.join("\n");
    let world = world::World::new(world::User::Myself);
    let free = world.run(r#""none""#, &script);
    for policy in BOTH {
        let contained = world.run(policy, &script);
        for (name, _) in FORBIDDEN {
            let missing = format!("{name} 38");
            assert!(
                contained.said.lines().any(|line| line == missing),
                "{name} is there: {}",
                contained.said
            );
            // Modules and a few others are no part of every kernel.
            if free.said.lines().any(|line| line == missing) {
                eprintln!("{name} cannot be tested: this kernel does not have it");
            }
        }
        let tested = FORBIDDEN.iter().filter(|(name, _)| !free.said.contains(&format!("{name} 38"))).count();
        assert!(tested > FORBIDDEN.len() / 2, "{}", free.said);
    }
}

/// The same calls under the numbers of another architecture (x32, i386).
#[test]
fn other_architectures_are_no_way_out() {
    let x32 = "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.syscall(0x40000000 | 39) > 0 or ctypes.get_errno() == 38
print('kept')";
    for policy in BOTH {
        let came = world::World::new(world::User::Myself).run(policy, x32);
        assert!(came.said.contains("kept"), "{came:?}");
    }
}

#[test]
fn pushes_nothing_into_a_terminal() {
    let script = "
import fcntl, os, pty
leader, follower = os.openpty()
os.setsid() if os.getsid(0) != os.getpid() else None
fcntl.ioctl(follower, 0x540e, 0)
fcntl.ioctl(follower, 0x5412, b'x')
print('done')";
    // Kernels without it say so to everyone.
    let control = world::World::new(world::User::Myself).run(r#""none""#, script);
    if control.done() {
        keeps_from(script, &BOTH);
    } else {
        eprintln!("cannot be tested: {control:?}");
    }
}

#[test]
fn ordinary_programs_run() {
    let script = "
import asyncio, concurrent.futures, hashlib, json, random, select, shutil, signal, sqlite3, subprocess, sys, tempfile, threading, time, zlib

shutil.copy2(json.__file__, 'copy.py')
with tempfile.TemporaryDirectory() as folder:
    database = sqlite3.connect(folder + '/data')
    database.execute('create table numbers (n)')
    database.executemany('insert into numbers values (?)', [(n,) for n in range(100)])
    database.commit()
    database.close()

async def main():
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(None, time.sleep, 0) for _ in range(8)))
    reader, writer = await asyncio.subprocess.create_subprocess_exec('/bin/echo', 'text', stdout=-1), None
    assert (await reader.communicate())[0] == b'text\\n'

if sys.argv[1:] != ['alone']:
    asyncio.run(main())
    assert subprocess.run(['/bin/sh', '-c', 'echo $HOME | cat'], capture_output=True, check=True).stdout
signal.alarm(100)
signal.alarm(0)
random.SystemRandom().random()
print('done')";
    lets(script, &[r#""default""#, r#"{"profile": "strict", "processes": 8}"#]);
    lets(&script.replace("!= ['alone']", "== ['together']"), &[r#""strict""#]);
}
