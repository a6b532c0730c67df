//! What a contained program can do with files: read what it needs, write to its own folder, nothing else.
#![cfg(target_os = "linux")]

mod world;

use world::{BOTH, User, World, keeps_from, lets, users};

#[test]
fn reads_the_system_and_its_code_and_writes_to_its_folder() {
    let script = "
import json, os, pathlib, ssl, tempfile, zoneinfo
world = pathlib.Path(os.environ['WORLD'])
assert 'trusted' in (world / 'package/code.py').read_text()
assert pathlib.Path.cwd() == pathlib.Path.home() == world / 'scratch/home'
with tempfile.NamedTemporaryFile() as file:
    file.write(b'text')
    assert pathlib.Path(file.name).is_relative_to(world / 'scratch/home')
pathlib.Path('mine.txt').write_text('text')
os.chmod('mine.txt', 0o600)
os.mkdir('folder')
os.rename('mine.txt', 'folder/yours.txt')
os.link('folder/yours.txt', 'ours.txt')
os.remove('folder/yours.txt')
ssl.create_default_context()
open('/dev/null', 'w').write('nothing')
print('done')
";
    lets(script, &BOTH);
}

#[test]
fn reads_no_other_file() {
    keeps_from("import os; open(os.environ['WORLD'] + '/secret.txt').read(); print('done')", &BOTH);
    keeps_from("import os; os.listdir(os.environ['WORLD']); print('done')", &BOTH);
    // Not on a detour either.
    let detour = "
import os
os.symlink(os.environ['WORLD'] + '/secret.txt', 'link')
try:
    open('link').read()
finally:
    os.remove('link')
print('done')
";
    keeps_from(detour, &BOTH);
    keeps_from(
        "import os; os.link(os.environ['WORLD'] + '/secret.txt', 'link'); os.remove('link'); print('done')",
        &BOTH,
    );
}

#[test]
fn reads_no_passwords_even_as_root() {
    if !users().contains(&User::Unprivileged) {
        eprintln!("skipped: only root can read them, contained or not");
        return;
    }
    World::new(User::Myself).keeps_from("open('/etc/shadow').read(); print('done')", &BOTH);
    if std::path::Path::new("/etc/ssl/private").exists() {
        World::new(User::Myself)
            .keeps_from("import os; os.listdir('/etc/ssl/private'); print('done')", &BOTH);
    }
}

#[test]
fn reads_nothing_of_the_hosts_process() {
    keeps_from(
        "import os; open('/proc/' + os.environ['HOST'] + '/environ', 'rb').read(); print('done')",
        &BOTH,
    );
    keeps_from("import os; open('/proc/' + os.environ['HOST'] + '/maps', 'rb').read(); print('done')", &BOTH);
    keeps_from("import os; open('/proc/' + os.environ['HOST'] + '/mem', 'rb').close(); print('done')", &BOTH);
    // The test's folder is only in the variables that the host gives; the others are its own.
    keeps_from("import os; os.environ['CPEX_SANDBOX_TEST_JOB']; print('done')", &BOTH);
    lets(
        "import os; os.environ['CPEX_SANDBOX_TEST_JOB']; print('done')",
        &[r#"{"env": ["CPEX_SANDBOX_TEST_JOB"]}"#],
    );
}

#[test]
fn changes_no_other_file() {
    for act in [
        "open(code, 'a').write('')",
        "os.truncate(code, os.stat(code).st_size)",
        "os.chmod(code, 0o644)",
        "os.utime(code)",
        "os.setxattr(code, 'user.mark', b'')",
        "os.rename(code, code + '.old'); os.rename(code + '.old', code)",
        "open(code + '.new', 'w').close(); os.remove(code + '.new')",
        "os.mkdir(code + '.d'); os.rmdir(code + '.d')",
        "os.symlink(code, code + '.l'); os.remove(code + '.l')",
        "os.mkfifo(code + '.f'); os.remove(code + '.f')",
    ] {
        let script =
            format!("import os; code = os.environ['WORLD'] + '/package/code.py'; {act}; print('done')");
        keeps_from(&script, &BOTH);
    }
}

#[test]
fn what_is_listed_is_open() {
    let read = "import os; open(os.environ['WORLD'] + '/secret.txt').read(); print('done')";
    lets(read, &[r#"{"read": ["secret.txt"]}"#, r#"{"profile": "strict", "write": ["."]}"#]);
    let write = "import os; open(os.environ['WORLD'] + '/package/new.py', 'w'); os.chmod(os.environ['WORLD'], 0o755); print('done')";
    lets(write, &[r#"{"write": ["."]}"#]);
    keeps_from(
        "import os; open(os.environ['WORLD'] + '/secret.txt', 'a'); print('done')",
        &[r#"{"read": ["secret.txt"]}"#],
    );
}

/// Outside of the sandbox such a file would run with the rights of the host's user, for whoever finds it.
#[test]
fn makes_no_program_that_runs_as_somebody() {
    for bit in ["0o4755", "0o2755"] {
        for act in [
            "os.chmod('suid', MODE)",
            "os.fchmod(file, MODE)",
            "os.chmod('suid', MODE, dir_fd=os.open('.', os.O_RDONLY))",
            "os.umask(0); os.open('made', os.O_CREAT | os.O_WRONLY, MODE)",
            "os.umask(0); os.open('.', os.O_TMPFILE | os.O_WRONLY, MODE)",
            "os.umask(0); os.mknod('made', MODE | 0o100000)",
            "import ctypes; assert ctypes.CDLL(None).syscall(90, b'suid', MODE) == 0",
            "import ctypes; assert ctypes.CDLL(None).syscall(452, -100, b'suid', MODE, 0) == 0",
        ] {
            if act.contains("ctypes") && !cfg!(target_arch = "x86_64") {
                continue;
            }
            let script = format!(
                "import os; file = os.open('suid', os.O_CREAT | os.O_WRONLY, 0o700); {}; print('done')\nos.remove('suid')\nif os.path.exists('made'): os.remove('made')",
                act.replace("MODE", bit)
            );
            // A kernel may be older than the last of these calls.
            if act.contains("452") && !World::new(User::Myself).run(r#""none""#, &script).done() {
                continue;
            }
            keeps_from(&script, &BOTH);
        }
    }
    lets(
        "import os; os.close(os.open('file', os.O_CREAT, 0o755)); os.chmod('file', 0o600); print('done')",
        &BOTH,
    );
}

#[test]
fn a_file_has_a_largest_size() {
    let fill = "
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with open('big', 'wb') as file:
    for _ in range(96):
        file.write(bytes(1 << 20))
os.remove('big')
print('done')
";
    keeps_from(fill, &[r#""strict""#, r#"{"file_size": "64MiB"}"#]);
    let sparse = "import os; os.truncate(os.open('big', os.O_CREAT | os.O_RDWR), 65 << 20); os.remove('big'); print('done')";
    keeps_from(sparse, &[r#""strict""#]);
    lets("open('big', 'wb').write(bytes(60 << 20)); print('done')", &[r#""strict""#]);
}

#[test]
fn inherits_no_open_file() {
    let script = "
import os
for fd in range(3, 1000):
    try:
        os.fstat(fd)
    except OSError:
        continue
    print('open', fd)
print('done')
";
    for user in users() {
        let world = World::new(user);
        for policy in [r#""none""#, r#""default""#, r#""strict""#] {
            let came = world.run(policy, script);
            assert!(came.done() && !came.said.contains("open"), "{came:?}");
        }
    }
}
