//! Connections made by the host in a child's name.
//!
//! A child that calls `socket` or `connect` waits while the kernel asks here. Its sockets are made by the host, in the host's
//! network; `connect` is carried out by the host, on that very socket, to an address that was read once. So what is checked
//! is what is done, and the child never holds a socket that it could connect by itself.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with};
use rustix::process::{ForeignRawFd, Pid, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::names::Allowed;

/// Whether this kernel can give a descriptor as an answer and keeps signals from repeating a call that is being carried out,
/// and whether this process may take descriptors: some containers do not allow it.
pub(super) fn possible(kernel: (u32, u32)) -> bool {
    const SINCE: (u32, u32) = (5, 19);
    let taken = pidfd_open(getpid(), PidfdFlags::empty())
        .and_then(|own| pidfd_getfd(&own, own.as_raw_fd(), PidfdGetfdFlags::empty()));
    kernel >= SINCE && taken.is_ok()
}

/// Connections of a child, and of what it starts, that are being made at a time.
const MOST: usize = 128;

/// Answers the calls of one child and of what it starts.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) listener: OwnedFd,
    pub(super) allowed: Arc<Allowed>,
}

impl Broker {
    pub(super) fn listener(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    /// Takes one call that waits. A connection takes its time on a thread of its own, also when whoever asked for it was
    /// killed.
    pub(super) fn serve(self: &Arc<Self>) {
        let Ok(call) = self.take() else {
            // It was interrupted or killed before it was taken.
            return;
        };
        if call.data.nr as libc::c_long == libc::SYS_socket {
            return match self.socket(&call) {
                Ok(()) => {}
                Err(errno) => self.answer(&call, Err(errno)),
            };
        }
        // Each of those threads holds one.
        if Arc::strong_count(self) > MOST {
            return self.answer(&call, Err(Errno::AGAIN));
        }
        let broker = Arc::clone(self);
        let thread = std::thread::Builder::new().name("cpex-connect".into()).spawn(move || {
            let connected = broker.connect(&call);
            broker.answer(&call, connected);
        });
        if let Err(error) = thread {
            tracing::warn!(%error, "a connection of a contained program is refused");
            self.answer(&call, Err(Errno::AGAIN));
        }
    }

    fn take(&self) -> io::Result<libc::seccomp_notif> {
        // SAFETY: a structure of numbers, for which zero is a value; the kernel demands zeros.
        let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the request is answered with a structure of this type.
        match unsafe { libc::ioctl(self.listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call) }
        {
            0 => Ok(call),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Makes the socket and gives it to the child, as the answer.
    fn socket(&self, call: &libc::seccomp_notif) -> Result<(), Errno> {
        let [family, kind, protocol, ..] = call.data.args.map(|argument| argument as libc::c_int);
        let family = match family {
            libc::AF_INET => AddressFamily::INET,
            libc::AF_INET6 => AddressFamily::INET6,
            _ => return Err(Errno::ACCESS),
        };
        let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        if kind & !flags != libc::SOCK_STREAM || !matches!(protocol, 0 | libc::IPPROTO_TCP) {
            return Err(Errno::ACCESS);
        }
        let mut ours = SocketFlags::CLOEXEC;
        ours.set(SocketFlags::NONBLOCK, kind & libc::SOCK_NONBLOCK != 0);
        let socket = socket_with(family, SocketType::STREAM, ours, Some(ipproto::TCP))?;
        let gift = libc::seccomp_notif_addfd {
            id: call.id,
            flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
            srcfd: socket.as_raw_fd().cast_unsigned(),
            newfd: 0,
            newfd_flags: if kind & libc::SOCK_CLOEXEC == 0 { 0 } else { libc::O_CLOEXEC.cast_unsigned() },
        };
        // SAFETY: the request reads a structure of this type; the descriptor in it is open.
        match unsafe {
            libc::ioctl(self.listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const gift)
        } {
            -1 => Err(super::child::last()),
            _ => Ok(()),
        }
    }

    fn connect(&self, call: &libc::seccomp_notif) -> Result<(), Errno> {
        let [fd, address, length, ..] = call.data.args;
        let wanted = read_address(call.pid, address, length)?;
        let socket = take_descriptor(call.pid, fd as libc::c_int)?;
        // Until here the number of the thread may have become another's, and what was read with it.
        if !self.waits(call) {
            return Err(Errno::INTR);
        }
        let mut refused = Errno::ACCESS;
        for address in self.allowed.destinations(wanted)? {
            match connect(&socket, &address) {
                Ok(()) => return Ok(()),
                // Without waiting: the child sees how it goes on by itself.
                Err(errno @ (Errno::INPROGRESS | Errno::ALREADY | Errno::ISCONN)) => return Err(errno),
                Err(errno) => refused = errno,
            }
        }
        Err(refused)
    }

    /// Whether the thread still waits for the answer to this call.
    fn waits(&self, call: &libc::seccomp_notif) -> bool {
        // SAFETY: the request reads one number from the address.
        let result = unsafe {
            libc::ioctl(self.listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const call.id)
        };
        result == 0
    }

    fn answer(&self, call: &libc::seccomp_notif, answer: Result<(), Errno>) {
        let error = answer.err().map_or(0, |errno| -errno.raw_os_error());
        let response = libc::seccomp_notif_resp { id: call.id, val: 0, error, flags: 0 };
        // SAFETY: the request reads a structure of this type. It fails if the thread is gone, which ends the matter.
        unsafe {
            libc::ioctl(self.listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const response)
        };
    }
}

/// Copies an address out of a child.
fn read_address(thread: u32, address: u64, length: u64) -> Result<SocketAddr, Errno> {
    let mut bytes = [0_u8; size_of::<libc::sockaddr_in6>()];
    let length = bytes.len().min(usize::try_from(length).unwrap_or(0));
    let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: length };
    // SAFETY: the kernel writes at most `length` bytes to `bytes`; the other address is only looked up in the child.
    let read =
        unsafe { libc::process_vm_readv(thread.cast_signed(), &raw const local, 1, &raw const remote, 1, 0) };
    let read = usize::try_from(read).map_err(|_| super::child::last())?;
    parse_address(&bytes[..read.min(bytes.len())]).ok_or(Errno::ACCESS)
}

/// An address of the Internet; `None` for everything else.
fn parse_address(bytes: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = bytes.split_first_chunk()?;
    let (port, rest) = rest.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    match i32::from(u16::from_ne_bytes(*family)) {
        libc::AF_INET => Some((Ipv4Addr::from(*rest.first_chunk::<4>()?), port).into()),
        libc::AF_INET6 => {
            let (flow, rest) = rest.split_first_chunk()?;
            let (address, scope) = rest.split_first_chunk::<16>()?;
            let (flow, scope) = (u32::from_ne_bytes(*flow), u32::from_ne_bytes(*scope.first_chunk()?));
            Some(SocketAddrV6::new(Ipv6Addr::from(*address), port, flow, scope).into())
        }
        _ => None,
    }
}

/// The file that a child has under this number.
fn take_descriptor(thread: u32, number: libc::c_int) -> Result<OwnedFd, Errno> {
    let status = std::fs::read_to_string(format!("/proc/{thread}/status")).map_err(|_| Errno::SRCH)?;
    let process = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
    let process = process.and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let pidfd = pidfd_open(process, PidfdFlags::empty())?;
    pidfd_getfd(&pidfd, number as ForeignRawFd, PidfdGetfdFlags::empty())
}
