//! What parent and child say to each other before the child is the program.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg, send, sendmsg, socketpair,
};

use super::child::Step;

/// A pair of sockets; whole messages, closed when the child becomes the program.
pub(super) struct Link {
    ours: OwnedFd,
    theirs: OwnedFd,
}

impl Link {
    pub(super) fn new() -> io::Result<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok(Self { ours: high(ours)?, theirs: high(theirs)? })
    }

    /// The parent's end; the child's is closed here.
    pub(super) fn parent(self) -> Parent {
        Parent(self.ours)
    }

    /// What the child knows of it.
    pub(super) fn ends(&self) -> Ends {
        Ends { parents: self.ours.as_raw_fd(), own: self.theirs.as_raw_fd() }
    }
}

/// The same file under a number that no standard stream has.
pub(super) fn high(file: OwnedFd) -> io::Result<OwnedFd> {
    if file.as_raw_fd() > 2 { Ok(file) } else { Ok(rustix::io::fcntl_dupfd_cloexec(&file, 3)?) }
}

pub(super) struct Parent(OwnedFd);

/// What a child says.
pub(super) enum Said {
    /// It is the program now, or has ended.
    Running,
    /// The connections that it wants come from here.
    Brokered(OwnedFd),
    /// It failed, and has ended.
    Failed(Step, io::Error),
}

impl Parent {
    /// Lets the child go on.
    pub(super) fn go(&self) -> io::Result<()> {
        send(&self.0, &[1], SendFlags::NOSIGNAL)?;
        Ok(())
    }

    pub(super) fn hear(&self) -> io::Result<Said> {
        let mut bytes = [0_u8; 5];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut control, RecvFlags::CMSG_CLOEXEC)
        })?;
        if received.bytes == 0 {
            return Ok(Said::Running);
        }
        let files = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        });
        if let Some(listener) = files.flatten().next() {
            return Ok(Said::Brokered(listener));
        }
        let [step, errno @ ..] = bytes;
        Ok(Said::Failed(Step::of(step), io::Error::from_raw_os_error(i32::from_ne_bytes(errno))))
    }
}

/// Both ends, by number: the child has copies of both. All methods are async-signal-safe.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    parents: RawFd,
    own: RawFd,
}

impl Ends {
    /// In the child: closes its copy of the parent's end, for the parent's death would not be seen while it is open.
    pub(super) fn child(self) -> ChildEnd {
        // SAFETY: the child's descriptors are its own, and nobody in it uses this one.
        unsafe { libc::close(self.parents) };
        // SAFETY: the child's copy of the other end stays open until it executes a program.
        ChildEnd(unsafe { BorrowedFd::borrow_raw(self.own) })
    }
}

/// The child's end. All its methods are async-signal-safe.
#[derive(Clone, Copy)]
pub(super) struct ChildEnd(BorrowedFd<'static>);

impl ChildEnd {
    /// Waits for the parent's word; an error if the parent is gone.
    pub(super) fn wait(self) -> Result<(), Errno> {
        let mut byte = [0_u8; 1];
        match recv(self.0, &mut byte[..], RecvFlags::empty())? {
            (_, 1) => Ok(()),
            _ => Err(Errno::PIPE),
        }
    }

    pub(super) fn broker(self, listener: RawFd) -> Result<(), Errno> {
        // SAFETY: the kernel just made this descriptor for the caller, who keeps it open.
        let listener = unsafe { BorrowedFd::borrow_raw(listener) };
        let files = [listener];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&files));
        sendmsg(self.0, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    pub(super) fn fail(self, step: Step, errno: Errno) {
        let [a, b, c, d] = errno.raw_os_error().to_ne_bytes();
        // If the parent is gone there is nobody to tell.
        let _ = send(self.0, &[step as u8, a, b, c, d], SendFlags::NOSIGNAL);
    }
}

/// All signals, kept from this thread while it is two: a handler of the host must not run in the child.
pub(super) struct Blocked(libc::sigset_t);

impl Blocked {
    pub(super) fn all() -> io::Result<Self> {
        let mut before = MaybeUninit::uninit();
        let mut every = MaybeUninit::uninit();
        // SAFETY: `sigfillset` fills the first set, the call reads it and fills the second; both live here.
        let failed = unsafe {
            libc::sigfillset(every.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, every.as_ptr(), before.as_mut_ptr())
        };
        match failed {
            // SAFETY: the call succeeded, so it filled the set.
            0 => Ok(Self(unsafe { before.assume_init() })),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set is the one that the kernel gave before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}
