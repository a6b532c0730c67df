//! Clients on a Unix socket whose `:authority` is the socket's path.
//!
//! gRPC's own library (C, Python, …) names the server it calls by the percent-encoded path of the socket. The HTTP/2
//! implementation here refuses that name, for a host name has no percent signs. [`Mended`] reads what a client sends
//! and puts another sign in their place: the length stays, so neither frames nor the compression of headers change.
//!
//! Only what a name can be is looked at: `:authority` as plain text, in the first frame of a request's headers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[cfg(test)]
mod tests;

const PREFACE: usize = 24;
const FRAME_HEADER: usize = 9;
const HEADERS: u8 = 1;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;
/// The length of a stream dependency and a weight.
const PRIORITY_FIELDS: usize = 5;

/// Where [`NAME`] stands in HPACK's static table.
const AUTHORITY: usize = 1;
const NAME: &[u8] = b":authority";
/// A header block is looked at up to here; names of sockets are far shorter.
const LOOKED_AT: usize = 4096;

/// A connection whose percent signs in `:authority` arrive as underscores.
pub(super) struct Mended<S> {
    stream: S,
    scan: Scan,
}

impl<S> Mended<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, scan: Scan::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Mended<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.scan.mend(&mut buf.filled_mut()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Mended<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Where in the bytes of a client we are. Bytes come in any pieces.
#[derive(Debug)]
enum Scan {
    /// So many bytes are passed over, then a frame begins.
    Skip(usize),
    /// In the header of a frame.
    Header(Vec<u8>),
    /// In the fields before a block of headers: so many are left, then the block of this length.
    Prelude { left: usize, block: usize },
    /// In a block of headers.
    Block(Block),
}

impl Default for Scan {
    fn default() -> Self {
        Self::Skip(PREFACE)
    }
}

impl Scan {
    fn mend(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let done = match self {
                Self::Skip(left) => (*left).min(bytes.len()),
                _ => 1,
            };
            self.step(&mut bytes[..done]);
            bytes = &mut bytes[done..];
        }
    }

    /// Goes on by one byte, or by as many as are passed over.
    fn step(&mut self, bytes: &mut [u8]) {
        match self {
            Self::Skip(left) => {
                *left -= bytes.len();
                if *left == 0 {
                    *self = Self::Header(Vec::with_capacity(FRAME_HEADER));
                }
            }
            Self::Header(header) => {
                header.extend_from_slice(bytes);
                if header.len() == FRAME_HEADER {
                    *self = Self::frame(header);
                }
            }
            Self::Prelude { left, block } => {
                *left -= 1;
                if *left == 0 {
                    *self = Self::block(*block);
                }
            }
            Self::Block(block) => {
                block.step(&mut bytes[0]);
                if block.left == 0 {
                    *self = Self::Header(Vec::with_capacity(FRAME_HEADER));
                }
            }
        }
    }

    fn frame(header: &[u8]) -> Self {
        let length = usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
        let (kind, flags) = (header[3], header[4]);
        let padding = usize::from(flags & PADDED != 0);
        let prelude = padding + if flags & PRIORITY == 0 { 0 } else { PRIORITY_FIELDS };
        match length {
            0 => Self::Header(Vec::with_capacity(FRAME_HEADER)),
            _ if kind != HEADERS || length <= prelude => Self::Skip(length),
            _ if prelude == 0 => Self::block(length),
            _ => Self::Prelude { left: prelude, block: length - prelude },
        }
    }

    fn block(length: usize) -> Self {
        Self::Block(Block { left: length, seen: 0, at: At::Field })
    }
}

/// A block of compressed headers, read without its tables: lengths are all it takes.
#[derive(Debug)]
struct Block {
    /// Bytes to come.
    left: usize,
    seen: usize,
    at: At,
}

/// What the next byte of a block is.
#[derive(Clone, Copy, Debug)]
enum At {
    /// The first of a field.
    Field,
    /// A further one of the number that began a field.
    Index(Number, Then),
    /// The first of a text's length.
    Length(Text),
    /// A further one of a text's length.
    MoreLength(Number, Text, bool),
    /// One of a text: so many are left.
    Text(usize, Text, bool),
}

/// What follows the number that began a field.
#[derive(Clone, Copy, Debug)]
enum Then {
    NextField,
    Value,
}

/// Which text of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// So much of [`NAME`] has it been; `None` if it is another.
    Name(Option<usize>),
    Value {
        of_authority: bool,
    },
}

/// A number in several bytes, so far.
#[derive(Clone, Copy, Debug)]
struct Number {
    value: usize,
    shift: u32,
}

impl Number {
    /// Adds a byte; the number if that was its last.
    fn step(&mut self, byte: u8) -> Option<usize> {
        let part = usize::from(byte & 0x7f).checked_shl(self.shift).unwrap_or(usize::MAX);
        self.value = self.value.saturating_add(part);
        self.shift = self.shift.saturating_add(7);
        (byte & 0x80 == 0).then_some(self.value)
    }
}

impl Block {
    fn step(&mut self, byte: &mut u8) {
        self.left -= 1;
        self.seen += 1;
        if self.seen <= LOOKED_AT {
            self.at = Self::next(self.at, byte);
        }
    }

    fn next(at: At, byte: &mut u8) -> At {
        match at {
            At::Field => Self::field(*byte),
            At::Index(mut number, then) => match number.step(*byte) {
                Some(index) => Self::after_index(index, then),
                None => At::Index(number, then),
            },
            At::Length(text) => {
                let (plain, length) = (*byte & 0x80 == 0, usize::from(*byte & 0x7f));
                match length {
                    0x7f => At::MoreLength(Number { value: length, shift: 0 }, text, plain),
                    _ => Self::text(length, text, plain),
                }
            }
            At::MoreLength(mut number, text, plain) => match number.step(*byte) {
                Some(length) => Self::text(length, text, plain),
                None => At::MoreLength(number, text, plain),
            },
            At::Text(left, Text::Name(so_far), plain) => {
                let matches = so_far.filter(|so_far| plain && NAME.get(*so_far) == Some(byte));
                Self::text(left - 1, Text::Name(matches.map(|so_far| so_far + 1)), plain)
            }
            At::Text(left, value, plain) => {
                if plain && *byte == b'%' && value == (Text::Value { of_authority: true }) {
                    *byte = b'_';
                }
                Self::text(left - 1, value, plain)
            }
        }
    }

    /// The first byte of a field says what the field is, and begins a number in its last bits.
    fn field(byte: u8) -> At {
        let (bits, then) = match byte {
            0x80.. => (7, Then::NextField),
            0x40.. => (6, Then::Value),
            0x20.. => (5, Then::NextField),
            _ => (4, Then::Value),
        };
        let most = (1 << bits) - 1;
        match usize::from(byte) & most {
            value if value == most => At::Index(Number { value, shift: 0 }, then),
            value => Self::after_index(value, then),
        }
    }

    fn after_index(index: usize, then: Then) -> At {
        match (then, index) {
            (Then::NextField, _) => At::Field,
            (Then::Value, 0) => At::Length(Text::Name(Some(0))),
            (Then::Value, index) => At::Length(Text::Value { of_authority: index == AUTHORITY }),
        }
    }

    /// A text of this length, or what comes after it.
    fn text(left: usize, text: Text, plain: bool) -> At {
        match (left, text) {
            (0, Text::Name(so_far)) => At::Length(Text::Value { of_authority: so_far == Some(NAME.len()) }),
            (0, Text::Value { .. }) => At::Field,
            _ => At::Text(left, text, plain),
        }
    }
}
