//! The worker's end of the socket.

use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use thiserror::Error;

use super::frame::{Decoder, Frame, FrameError};
use super::message::Message;

const CHUNK: usize = 64 * 1024;

/// What is read at once at most, so that the event loop gets to something else.
const CHUNKS: usize = 16;

/// The first descriptor that is not one of the standard streams.
const FIRST: RawFd = 3;

/// The socket to the host, for one thread that reads and any that write.
#[derive(Debug)]
pub struct Line {
    socket: UnixStream,
    limit: usize,
    incoming: Mutex<Incoming>,
    outgoing: Mutex<()>,
}

#[derive(Debug)]
struct Incoming {
    decoder: Decoder,
    chunk: Box<[u8]>,
}

/// What the host wants.
#[derive(Debug)]
pub enum Received {
    /// A hook is to run: a frame that says which.
    Call(Frame),
    /// Nobody waits for this call any more.
    Cancel(u64),
    /// There are no more calls to come.
    Finish,
}

/// The host is of no use to the worker any more.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LineError {
    /// What it sent is no message, or not one of a host.
    #[error("the host broke the protocol: {0}")]
    Frame(#[from] FrameError),
    /// It cannot be reached.
    #[error("the host is gone: {0}")]
    Io(#[from] io::Error),
}

impl Line {
    /// Takes bodies of so many bytes, both ways.
    ///
    /// # Errors
    /// If the descriptor is no socket.
    pub fn new(socket: OwnedFd, limit: usize) -> io::Result<Self> {
        let socket = UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        let incoming = Incoming { decoder: Decoder::new(limit), chunk: vec![0; CHUNK].into() };
        Ok(Self { socket, limit, incoming: Mutex::new(incoming), outgoing: Mutex::default() })
    }

    /// Takes the socket that this process was started with as its standard input, which is empty from then on. Where the
    /// system can see to it, the process ends with the thread that has started it.
    ///
    /// # Errors
    /// If the standard input is no socket.
    pub fn from_stdin(limit: usize) -> io::Result<Self> {
        let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), FIRST)?;
        rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        // In a sandbox it is seen to already, and may not be asked for.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        Self::new(socket, limit)
    }

    /// What is readable when the host wants something.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Waits for the host to say what the plugin is: the frame of its [`Message::Hello`].
    ///
    /// # Errors
    /// If it says something else, or nothing.
    pub fn hello(&self) -> Result<Frame, LineError> {
        let Incoming { decoder, chunk } = &mut *self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(frame) = decoder.next_frame()? {
                return match Message::read(&frame)? {
                    Message::Hello(_) => Ok(frame),
                    _ => Err(FrameError::Body(frame.kind).into()),
                };
            }
            self.wait_for(PollFlags::IN)?;
            match (&self.socket).read(chunk) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => decoder.feed(&chunk[..read]),
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What the host wants by now. It is answered at once when it asks for a sign of life.
    ///
    /// # Errors
    /// If it broke the protocol.
    pub fn receive(&self) -> Result<Vec<Received>, LineError> {
        let mut received = Vec::new();
        let Incoming { decoder, chunk } = &mut *self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..CHUNKS {
            match (&self.socket).read(chunk) {
                Ok(read @ 1..) => {
                    decoder.feed(&chunk[..read]);
                    // What fills no chunk was all there was.
                    if read < CHUNK {
                        break;
                    }
                }
                Err(error) if is_passing(&error) => break,
                Ok(_) | Err(_) => {
                    received.push(Received::Finish);
                    break;
                }
            }
        }
        while let Some(frame) = decoder.next_frame()? {
            match Message::read(&frame)? {
                Message::Call(_) => received.push(Received::Call(frame)),
                Message::Cancel => received.push(Received::Cancel(frame.id)),
                Message::Shutdown => received.push(Received::Finish),
                Message::Ping => self.send(&Message::Pong, frame.id)?,
                _ => return Err(FrameError::Body(frame.kind).into()),
            }
        }
        Ok(received)
    }

    /// Sends a message, and waits for the host to read if it has to.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] if it is larger than may be sent; nothing was, then. Any other error: the host is gone.
    pub fn send(&self, message: &Message<'_>, id: u64) -> Result<(), LineError> {
        let frame = message.frame(id, self.limit)?;
        let _whole = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = &frame[..];
        while !left.is_empty() {
            match (&self.socket).write(left) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => left = &left[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_for(PollFlags::OUT)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn wait_for(&self, what: PollFlags) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.socket, what)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Received {
    /// Are there no more calls to come?
    #[must_use]
    pub fn is_finish(&self) -> bool {
        mem::discriminant(self) == mem::discriminant(&Self::Finish)
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
