//! What is left where nobody can make namespaces, as in most containers: it is told, refused by `strict`, and the rest holds.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use cpex_sandbox::Support;
use world::{User, World};

const DEFAULT: [&str; 1] = [r#""default""#];

fn world() -> World {
    World::new(User::Confined)
}

#[test]
fn they_are_told_and_refused() {
    let came = world().run(r#""default""#, "print('done')");
    assert!(came.done(), "{came:?}");
    let told = came.missing.join("\n");
    for gap in [
        "other processes can be seen",
        "keeps it from the network",
        "permissions and times",
        "number of processes",
        "nothing but the disk",
    ] {
        assert!(told.contains(gap), "{gap}: {told}");
    }
    assert!(told.contains("namespaces are refused: No space left on device"), "the system says why: {told}");
    assert!(world().run(r#""strict""#, "print('done')").refused);
    assert!(world().run(r#""none""#, "print('done')").missing.is_empty());
}

#[test]
fn files_are_closed() {
    let world = world();
    world.keeps_from("import os; open(os.environ['WORLD'] + '/secret.txt').read(); print('done')", &DEFAULT);
    world.keeps_from(
        "import os; open(os.environ['WORLD'] + '/package/code.py', 'a'); print('done')",
        &DEFAULT,
    );
    world.keeps_from(
        "import os; open('/proc/' + os.environ['HOST'] + '/environ').read(); print('done')",
        &DEFAULT,
    );
}

#[test]
fn the_network_is_closed_but_for_what_is_listed() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if stream.read(&mut [0]).is_ok_and(|read| read == 1) {
                stream.write_all(b"hello").unwrap();
            }
        }
    });
    let talk = format!(
        "
import socket
with socket.create_connection(('127.0.0.1', {port}), timeout=30) as peer:
    peer.sendall(b'?')
    assert peer.recv(5) == b'hello'
print('done')"
    );
    let world = world();
    world.keeps_from(&talk, &[r#""default""#, r#"{"network": ["127.0.0.1:1"]}"#]);
    let listed = world.run(&format!(r#"{{"network": ["127.0.0.1:{port}"]}}"#), &talk);
    assert!(listed.done(), "{listed:?}");
    let name = format!("cpex-sandbox-gaps-{}", std::process::id());
    let _hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let connect = format!("import socket; socket.socket(socket.AF_UNIX).connect('\\0{name}'); print('done')");
    world.keeps_from(&connect, &[r#""default""#, r#"{"network": "all"}"#]);
}

#[test]
fn other_processes_are_out_of_reach() {
    let world = world();
    // PTRACE_SEIZE
    let trace = "
import ctypes, os
assert ctypes.CDLL(None).ptrace(0x4206, int(os.environ['HOST']), None, None) == 0
print('done')";
    world.keeps_from(trace, &DEFAULT);
    world.keeps_from(
        "import os; os.fork() or os._exit(0); os.wait(); print('done')",
        &[r#"{"processes": 0}"#],
    );
    let limit = "
import os, resource
host = int(os.environ['HOST'])
resource.prlimit(host, resource.RLIMIT_CORE, resource.prlimit(host, resource.RLIMIT_CORE))
print('done')";
    world.keeps_from(limit, &DEFAULT);
    let place =
        "import os; os.sched_setaffinity(int(os.environ['HOST']), os.sched_getaffinity(0)); print('done')";
    world.keeps_from(place, &DEFAULT);
    if Support::probe().landlock >= 6 {
        world.keeps_from("import os; os.kill(int(os.environ['HOST']), 0); print('done')", &DEFAULT);
    } else {
        eprintln!("partly skipped: this kernel's Landlock does not keep signals");
    }
}
