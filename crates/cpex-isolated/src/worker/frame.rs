//! Frames: what lies between the bytes on a socket and what they say.
//!
//! ```text
//!  length of the rest   kind   request     body
//! ├─────── u32 ────────┼─ u8 ─┼── u64 ────┼── … ──┤      big endian
//! ```
//!
//! The codec reads and writes no socket, and both ends use it.

use thiserror::Error;

/// Bytes of the length.
const LENGTH: usize = 4;

/// Bytes of kind and request.
pub(super) const HEAD: usize = 1 + 8;

/// What was read is moved to the front of the buffer once so much lies before it.
const SLACK: usize = 64 * 1024;

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Host: this is the plugin.
    Hello = 1,
    /// Worker: it is loaded.
    Ready = 2,
    /// Host: run a hook.
    Call = 3,
    /// Worker: it returned.
    Reply = 4,
    /// Worker: it failed, or was not loaded.
    Failed = 5,
    /// Host: nobody waits for this call any more.
    Cancel = 6,
    /// Worker: a call that was given up has stopped.
    Dropped = 7,
    /// Host: does the event loop turn?
    Ping = 8,
    /// Worker: it does.
    Pong = 9,
    /// Host: finish.
    Shutdown = 10,
}

/// One message, not yet looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is about.
    pub kind: Kind,
    /// Which request; 0 if none.
    pub id: u64,
    /// The rest.
    pub body: Vec<u8>,
}

/// What was received is no message of this protocol. The connection is of no use any more.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// More is announced than may be sent.
    #[error("a message of {size} bytes exceeds the limit of {limit}")]
    TooLarge {
        /// How much is announced.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// It is too short to have a kind and a request.
    #[error("a message of {0} bytes has no head")]
    Short(usize),
    /// There is no such kind.
    #[error("no message is of kind {0}")]
    Kind(u8),
    /// The body is not what the kind has.
    #[error("a message of kind {0:?} cannot be read")]
    Body(Kind),
}

impl Kind {
    fn of(byte: u8) -> Result<Self, FrameError> {
        use Kind::{Call, Cancel, Dropped, Failed, Hello, Ping, Pong, Ready, Reply, Shutdown};
        let kinds = [Hello, Ready, Call, Reply, Failed, Cancel, Dropped, Ping, Pong, Shutdown];
        kinds.into_iter().find(|kind| *kind as u8 == byte).ok_or(FrameError::Kind(byte))
    }
}

/// Puts together what arrives in pieces. Memory grows with what arrives, not with what is announced.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    bytes: Vec<u8>,
    /// Where the next frame begins.
    at: usize,
}

impl Decoder {
    /// Takes bodies of so many bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), at: 0 }
    }

    /// More has arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message; `None` until it is complete.
    ///
    /// # Errors
    /// If what arrived is none. Whatever comes after it is not looked at.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let rest = &self.bytes[self.at..];
        let Some((length, rest)) = rest.split_first_chunk::<LENGTH>() else {
            self.compact();
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        let size = length.checked_sub(HEAD).ok_or(FrameError::Short(length))?;
        if size > self.limit {
            return Err(FrameError::TooLarge { size, limit: self.limit });
        }
        let Some(message) = rest.get(..length) else {
            self.compact();
            return Ok(None);
        };
        let frame = message.split_first().and_then(|(kind, rest)| Some((*kind, rest.split_first_chunk()?)));
        let Some((kind, (id, body))) = frame else { return Err(FrameError::Short(length)) };
        let frame = Frame { kind: Kind::of(kind)?, id: u64::from_be_bytes(*id), body: body.to_vec() };
        self.at += LENGTH + length;
        Ok(Some(frame))
    }

    fn compact(&mut self) {
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(SLACK);
            self.at = 0;
        } else if self.at > SLACK {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
    }
}

/// A frame around the body that `write` appends.
///
/// # Errors
/// If the body is larger than `limit`.
pub(super) fn framed(
    kind: Kind,
    id: u64,
    limit: usize,
    expected: usize,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<Vec<u8>, FrameError> {
    let mut frame = Vec::with_capacity(LENGTH + HEAD + expected);
    frame.extend_from_slice(&[0; LENGTH]);
    frame.push(kind as u8);
    frame.extend_from_slice(&id.to_be_bytes());
    write(&mut frame);
    let size = frame.len() - LENGTH - HEAD;
    let length = u32::try_from(size + HEAD).ok().filter(|_| size <= limit);
    let length = length.ok_or(FrameError::TooLarge { size, limit })?;
    frame[..LENGTH].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}
