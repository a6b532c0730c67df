//! A 4-byte big-endian length and that many bytes.

use prost::Message;
use prost::bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::error::FrameError;
use crate::wire::Features;

/// The largest message of CPEX 0.1.x: 16 MiB.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

const HEADER: usize = 4;

/// At most this much is set aside before any of it has arrived.
const FIRST_STEP: usize = 64 * 1024;

/// Reads one frame; `None` if the peer ended the connection between two.
///
/// Memory grows with what arrives, not with what is announced. Not cancel-safe: a frame that was given up halfway
/// leaves a connection of no use.
///
/// # Errors
/// If more than `limit` bytes are announced, the peer stops within a frame, or reading fails.
pub async fn read_frame(
    reader: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> Result<Option<Bytes>, FrameError> {
    match read_length(reader, limit).await? {
        Some(length) => read_body(reader, length).await.map(Some),
        None => Ok(None),
    }
}

/// Reads the length of the next frame.
pub(super) async fn read_length(
    reader: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> Result<Option<usize>, FrameError> {
    let mut header = [0; HEADER];
    if reader.read(&mut header[..1]).await? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut header[1..]).await.map_err(truncated)?;
    let size = u32::from_be_bytes(header) as usize;
    if size > limit { Err(FrameError::TooLarge { size, limit }) } else { Ok(Some(size)) }
}

/// Reads the rest of a frame.
pub(super) async fn read_body(
    reader: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> Result<Bytes, FrameError> {
    let mut body = BytesMut::with_capacity(length.min(FIRST_STEP));
    let mut rest = reader.take(length as u64);
    while body.len() < length {
        if rest.read_buf(&mut body).await? == 0 {
            return Err(FrameError::Truncated);
        }
    }
    Ok(body.freeze())
}

/// A message as a frame, or its size if that is more than `limit`.
pub(super) fn frame(message: &impl Message, limit: usize) -> Result<Bytes, usize> {
    let size = message.encoded_len();
    let length = u32::try_from(size).ok().filter(|_| size <= limit).ok_or(size)?;
    let mut frame = BytesMut::with_capacity(HEADER + size);
    frame.put_u32(length);
    message.encode_raw(&mut frame);
    Ok(frame.freeze())
}

/// A message for a peer with these features as a frame, without texts of what other fields say as well if it takes that
/// to fit; its size if it is still too large.
pub(super) fn frame_for<M: Message, E>(
    peer: Features,
    limit: usize,
    message: impl Fn(Features) -> Result<M, E>,
) -> Result<Result<Bytes, usize>, E> {
    let mut framed = Err(0);
    for features in peer.down_to_size() {
        framed = frame(&message(features)?, limit);
        if framed.is_ok() {
            break;
        }
    }
    Ok(framed)
}

fn truncated(error: std::io::Error) -> FrameError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => FrameError::Truncated,
        _ => FrameError::Io(error),
    }
}
