//! What a contained program can connect to: what is listed, through its host, and nothing else.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod world;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use world::{BOTH, User, World, keeps_from, lets, users};

const BROKERED: [&str; 3] = [
    r#"{"network": "loopback"}"#,
    r#"{"network": ["api.example.com:443"]}"#,
    r#"{"profile": "strict", "network": ["192.0.2.1:443"]}"#,
];

fn everywhere() -> Vec<&'static str> {
    BOTH.into_iter().chain(BROKERED).collect()
}

/// A server on both loopback addresses that answers `hello`; its port.
fn server() -> u16 {
    let (four, six) = std::iter::repeat_with(|| {
        let four = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let six = TcpListener::bind((Ipv6Addr::LOCALHOST, four.local_addr().unwrap().port()));
        Some((four, six.ok()?))
    })
    .flatten()
    .next()
    .unwrap();
    let port = four.local_addr().unwrap().port();
    for listener in [four, six] {
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut byte = [0];
                // Who connects and says nothing is only trying.
                if stream.read(&mut byte).is_ok_and(|read| read == 1) {
                    stream.write_all(b"hello").unwrap();
                }
            }
        });
    }
    port
}

fn talk(host: &str, port: u16) -> String {
    format!(
        "
import socket
with socket.create_connection(('{host}', {port}), timeout=30) as peer:
    peer.sendall(b'?')
    assert peer.recv(5) == b'hello'
with socket.socket(socket.AF_INET6 if ':' in '{host}' else socket.AF_INET) as peer:
    peer.connect(('{host}', {port}))
    peer.sendall(b'?')
    assert peer.recv(5) == b'hello'
print('done')"
    )
}

#[test]
fn connects_to_nothing_that_is_not_listed() {
    let port = server();
    keeps_from(&talk("127.0.0.1", port), &[BOTH.as_slice(), &BROKERED[1..]].concat());
    keeps_from(&talk("::1", port), &[BOTH.as_slice(), &BROKERED[1..]].concat());
    // Another port of a listed host.
    let other = format!(r#"{{"network": ["127.0.0.1:{}", "localhost:1"]}}"#, port ^ 1);
    keeps_from(&talk("127.0.0.1", port), &[&other]);
    // Neither with the first bytes, nor after it was disconnected.
    let fast = format!(
        "
import socket
peer = socket.socket()
peer.sendto(b'?', socket.MSG_FASTOPEN, ('127.0.0.1', {port}))
assert peer.recv(5) == b'hello'
print('done')"
    );
    keeps_from(&fast, &everywhere());
    let message = fast.replace(
        "peer.sendto(b'?', socket.MSG_FASTOPEN, (",
        "peer.sendmsg([b'?'], [], socket.MSG_FASTOPEN, (",
    );
    keeps_from(&message, &everywhere());
}

#[test]
fn sends_no_datagram() {
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = peer.local_addr().unwrap().port();
    let send = format!(
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'?', ('127.0.0.1', {port})); print('done')"
    );
    keeps_from(&send, &everywhere());
}

#[test]
fn listens_to_nobody() {
    keeps_from("import socket; socket.create_server(('127.0.0.1', 0)); print('done')", &everywhere());
    keeps_from("import socket; s = socket.socket(); s.listen(); print('done')", &everywhere());
}

#[test]
fn reaches_no_socket_of_the_machine() {
    for user in users() {
        let world = World::new(user);
        let path = world.path().join("shared/stream");
        let _stream = UnixListener::bind(&path).unwrap();
        let datagrams = world.path().join("shared/datagrams");
        let _datagrams = UnixDatagram::bind(&datagrams).unwrap();
        let name = format!("cpex-sandbox-{}-{user:?}", std::process::id());
        let _hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for path in [&path, &datagrams] {
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        }
        // The files are within reach.
        let policies = [
            r#"{"write": ["shared"]}"#,
            r#"{"profile": "strict", "write": ["shared"]}"#,
            r#"{"network": "loopback", "write": ["shared"]}"#,
            r#"{"network": ["192.0.2.1:443"], "write": ["shared"]}"#,
            r#"{"network": "all", "write": ["shared"]}"#,
        ];
        let connect = |address: &str| {
            format!(
                "import os, socket; os.chdir(os.environ['WORLD'] + '/shared'); socket.socket(socket.AF_UNIX).connect({address}); print('done')"
            )
        };
        world.keeps_from(&connect("'stream'"), &policies);
        world.keeps_from(&connect(&format!("'\\0{name}'")), &policies);
        // A pair that is connected to itself could still send elsewhere.
        let stray = "
import os, socket
os.chdir(os.environ['WORLD'] + '/shared')
one, two = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
one.sendto(b'?', 'datagrams')
print('done')";
        world.keeps_from(stray, &policies);
    }
    keeps_from(
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); print('done')",
        &everywhere(),
    );
    if users().contains(&User::Unprivileged) {
        let raw = "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); print('done')";
        let mut policies = everywhere();
        policies.push(r#"{"network": "all"}"#);
        World::new(User::Myself).keeps_from(raw, &policies);
        let packet = "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW); print('done')";
        World::new(User::Myself).keeps_from(packet, &policies);
    }
}

/// Its sockets are of the host's network, but do not show it.
#[test]
fn learns_nothing_of_the_network() {
    // SIOCGIFADDR of the loopback interface
    let ask = "
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8915, struct.pack('256s', b'lo'))
print('done')";
    keeps_from(ask, &everywhere());
    keeps_from("open('/proc/net/tcp').read(); print('done')", &everywhere());
    lets("import socket; socket.socket(); print('done')", &BROKERED);
}

#[test]
fn has_a_pair_of_its_own() {
    lets("import asyncio; asyncio.run(asyncio.sleep(0)); print('done')", &everywhere());
}

#[test]
fn connects_to_what_is_listed() {
    let port = server();
    for (host, listed) in [
        ("127.0.0.1", format!(r#"["127.0.0.1:{port}"]"#)),
        ("::1", format!(r#"["[::1]:{port}"]"#)),
        ("::ffff:127.0.0.1", format!(r#"["127.0.0.1:{port}"]"#)),
        ("localhost", format!(r#"["localhost:{port}"]"#)),
        ("127.0.0.1", format!(r#"["localhost:{port}"]"#)),
        ("localhost", r#""loopback""#.to_owned()),
        ("127.0.0.1", r#""all""#.to_owned()),
    ] {
        let policy = format!(r#"{{"network": {listed}}}"#);
        lets(&talk(host, port), &[&policy, &policy.replace('{', r#"{"profile": "strict", "#)]);
    }
}

/// Packets of a connection to a listed host go to that host, and on the way that the host's tables know.
#[test]
fn leads_no_connection_astray() {
    // One that records the route; of those that lead one, some kernels ask for privileges.
    let routed = "
import socket
socket.socket().setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([7, 7, 4, 0, 0, 0, 0, 0]))
print('done')";
    keeps_from(routed, &BROKERED);
    let bound = "
import socket
socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'lo')
print('done')";
    keeps_from(bound, &BROKERED);
    let usual = "
import socket
four, six = socket.socket(), socket.socket(socket.AF_INET6)
four.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
four.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
four.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x10)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x10)
print('done')";
    lets(usual, &BROKERED);
}

/// Who is killed while it connects leaves a thread of the host behind, until the connection is made or fails.
#[test]
fn takes_only_so_many_threads_of_the_host() {
    let full = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let port = full.local_addr().unwrap().port();
    let script = format!(
        "
import os, signal, socket, time
for _ in range(600):
    child = os.fork()
    if child == 0:
        socket.socket().connect(('127.0.0.1', {port}))
        os._exit(0)
    time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
print('done')"
    );
    let world = World::new(User::Myself);
    let mut host = world.host(r#"{"network": "loopback"}"#, &script);
    let threads = format!("/proc/{}/task", host.id());
    let mut most = 0;
    while host.try_wait().unwrap().is_none() {
        most = most.max(std::fs::read_dir(&threads).map_or(0, Iterator::count));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let came = std::fs::read_to_string(world.path().join("result.json")).unwrap();
    assert!(came.contains("done"), "{came}");
    assert!((100..200).contains(&most), "{most} threads");
}

/// What is checked is what is connected to, though the address changes in the program's memory all the while.
#[test]
fn an_address_that_changes_meanwhile_is_no_way_out() {
    let (listed, other) = (server(), server());
    let script = format!(
        "
import collections, ctypes, errno, socket, struct, sys, threading, time
sys.setswitchinterval(1e-5)
libc = ctypes.CDLL(None, use_errno=True)
address = ctypes.create_string_buffer(struct.pack('=H', socket.AF_INET) + struct.pack('!H4s8x', {listed}, socket.inet_aton('127.0.0.1')))
ports = struct.pack('!H', {listed}), struct.pack('!H', {other})
stop = False

def change():
    while not stop:
        for port in ports:
            ctypes.memmove(ctypes.addressof(address) + 2, port, 2)

thread = threading.Thread(target=change)
thread.start()
reached, end = collections.Counter(), time.monotonic() + 60
try:
    # Until it has seen both, and each often enough to have raced.
    while min(reached['listed'], reached['other'] + reached['refused']) < 20 and time.monotonic() < end:
        with socket.socket() as peer:
            if libc.connect(peer.fileno(), address, 16) == 0:
                reached['listed' if peer.getpeername()[1] == {listed} else 'other'] += 1
            elif ctypes.get_errno() == errno.EACCES:
                reached['refused'] += 1
finally:
    stop = True
    thread.join()
print(*sorted(reached))
if reached['other']:
    print('done')"
    );
    let policy = format!(r#"{{"network": ["127.0.0.1:{listed}"]}}"#);
    keeps_from(&script, &[&policy]);
    for user in users() {
        let came = World::new(user).run(&policy, &script);
        assert_eq!(came.said.trim(), "listed refused", "it is only kept from the other: {came:?}");
    }
}

/// A name is resolved by the host, when it is connected to: the child asks no server, and knows no address.
#[test]
fn connects_to_listed_names() {
    let port = server();
    // A name that leads here, beside `localhost`, which is another matter.
    let file = std::fs::read_to_string("/etc/hosts").unwrap();
    let lines = file.lines().filter(|line| line.starts_with("127.") || line.starts_with("::1"));
    let mut names = lines.flat_map(|line| line.split_ascii_whitespace().skip(1));
    match names.find(|&name| name != "localhost") {
        Some(name) => lets(&talk(name, port), &[&format!(r#"{{"network": ["{name}:{port}"]}}"#)]),
        None => eprintln!("partly skipped: /etc/hosts has no name but localhost for this machine"),
    }
    let told = "
import socket
addresses = {a[4][0] for a in socket.getaddrinfo('api.example.com', 443, type=socket.SOCK_STREAM)}
assert addresses == {'198.18.0.1', 'fd63:7065:7800::1'}, addresses
try:
    socket.getaddrinfo('other.example.com', 443)
except socket.gaierror:
    print('done')";
    lets(told, &[BROKERED[1]]);
}

#[test]
fn connects_without_waiting() {
    let port = server();
    let script = format!(
        "
import asyncio

async def talk():
    reader, writer = await asyncio.open_connection('127.0.0.1', {port})
    writer.write(b'?')
    assert await reader.readexactly(5) == b'hello'
    writer.close()

async def main():
    await asyncio.gather(*(talk() for _ in range(20)))

asyncio.run(main())
print('done')"
    );
    lets(&script, &[r#"{"network": "loopback"}"#]);
    let refused = "
import asyncio, socket
with socket.socket() as free:
    pass

async def main():
    try:
        await asyncio.open_connection('127.0.0.1', 1)
    except ConnectionRefusedError:
        print('done')

asyncio.run(main())";
    lets(refused, &[r#"{"network": "loopback"}"#]);
}
