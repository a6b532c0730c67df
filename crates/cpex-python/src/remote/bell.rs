//! What wakes an event loop without the interpreter.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

/// A descriptor that an event loop watches, and what makes it readable, from any thread.
pub(crate) struct Bell {
    rope: UnixStream,
    door: UnixStream,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        let (rope, door) = UnixStream::pair()?;
        rope.set_nonblocking(true)?;
        door.set_nonblocking(true)?;
        Ok(Self { rope, door })
    }

    /// What is readable once it has rung.
    pub(crate) fn fd(&self) -> RawFd {
        self.door.as_raw_fd()
    }

    pub(crate) fn ring(&self) {
        // Without room for a byte, it has rung often enough.
        let _ = (&self.rope).write(&[1]);
    }

    /// It has been heard. Comes before a look at what it rang for: whoever rings later is heard next.
    pub(crate) fn silence(&self) {
        let _ = (&self.door).read(&mut [0; 8]);
    }
}
