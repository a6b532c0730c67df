//! What the two ends say to each other.

use std::time::Duration;

use super::frame::{Frame, FrameError, Kind, framed};

/// Of the protocol; both ends must have the same.
pub const PROTOCOL: u32 = 1;

/// One message. Texts are JSON that nobody has looked at yet, but for `hook`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'m> {
    /// Host: this is the plugin, an object.
    Hello(&'m [u8]),
    /// Worker: it is loaded; an object that says what the worker is.
    Ready(&'m [u8]),
    /// Host: run a hook.
    Call(Call<'m>),
    /// Worker: it returned.
    Reply {
        /// The whole result.
        result: &'m [u8],
        /// The context, if it is not as it was sent.
        context: Option<&'m [u8]>,
    },
    /// Worker: it failed, or was not loaded; an error model.
    Failed(&'m [u8]),
    /// Host: nobody waits for this call any more.
    Cancel,
    /// Worker: a call that was given up has stopped.
    Dropped,
    /// Host: does the event loop turn?
    Ping,
    /// Worker: it does.
    Pong,
    /// Host: finish.
    Shutdown,
}

/// One hook is to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'m> {
    /// The hook, as `tool_pre_invoke`.
    pub hook: &'m str,
    /// The payload.
    pub payload: &'m [u8],
    /// The context.
    pub context: &'m [u8],
    /// The extensions, as far as the plugin may see them.
    pub extensions: Option<&'m [u8]>,
    /// After so long the worker gives it up by itself. Whole milliseconds count, at most `u32::MAX - 1` of them.
    pub deadline: Option<Duration>,
}

/// Stands where nothing is.
const ABSENT: u32 = u32::MAX;

impl<'m> Message<'m> {
    /// What a frame says.
    ///
    /// # Errors
    /// If its body is not what its kind has.
    pub fn read(frame: &'m Frame) -> Result<Self, FrameError> {
        let Frame { kind, body, .. } = frame;
        let mut body = Body(body);
        let message = match kind {
            Kind::Hello => Some(Self::Hello(body.rest())),
            Kind::Ready => Some(Self::Ready(body.rest())),
            Kind::Failed => Some(Self::Failed(body.rest())),
            Kind::Call => body.call().map(Self::Call),
            Kind::Reply => body.reply(),
            Kind::Cancel => Some(Self::Cancel),
            Kind::Dropped => Some(Self::Dropped),
            Kind::Ping => Some(Self::Ping),
            Kind::Pong => Some(Self::Pong),
            Kind::Shutdown => Some(Self::Shutdown),
        };
        message.filter(|_| body.0.is_empty()).ok_or(FrameError::Body(*kind))
    }

    /// The bytes of a message, whole and framed.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] if its body is larger than `limit`.
    pub fn frame(&self, id: u64, limit: usize) -> Result<Vec<u8>, FrameError> {
        match *self {
            Self::Hello(text) => framed(Kind::Hello, id, limit, text.len(), |out| out.extend(text)),
            Self::Ready(text) => framed(Kind::Ready, id, limit, text.len(), |out| out.extend(text)),
            Self::Failed(text) => framed(Kind::Failed, id, limit, text.len(), |out| out.extend(text)),
            Self::Call(call) => {
                let Call { hook, payload, context, extensions, deadline } = call;
                let parts = [Some(hook.as_bytes()), Some(payload), Some(context), extensions];
                framed(Kind::Call, id, limit, 4 + size(&parts), |out| {
                    let deadline = deadline.map_or(ABSENT, |deadline| {
                        u32::try_from(deadline.as_millis()).unwrap_or(ABSENT).min(ABSENT - 1)
                    });
                    out.extend(deadline.to_be_bytes());
                    write(&parts, out);
                })
            }
            Self::Reply { result, context } => {
                let parts = [Some(result), context];
                framed(Kind::Reply, id, limit, size(&parts), |out| write(&parts, out))
            }
            Self::Cancel => framed(Kind::Cancel, id, limit, 0, |_| {}),
            Self::Dropped => framed(Kind::Dropped, id, limit, 0, |_| {}),
            Self::Ping => framed(Kind::Ping, id, limit, 0, |_| {}),
            Self::Pong => framed(Kind::Pong, id, limit, 0, |_| {}),
            Self::Shutdown => framed(Kind::Shutdown, id, limit, 0, |_| {}),
        }
    }
}

fn size(parts: &[Option<&[u8]>]) -> usize {
    parts.iter().map(|part| 4 + part.map_or(0, <[u8]>::len)).sum()
}

fn write(parts: &[Option<&[u8]>], out: &mut Vec<u8>) {
    for part in parts {
        // What is too long for its length is too long for a frame, which is looked at when all of it is there.
        let length = part.map_or(ABSENT, |part| u32::try_from(part.len()).unwrap_or(ABSENT - 1));
        out.extend(length.to_be_bytes());
        out.extend(part.unwrap_or_default());
    }
}

/// What is left of a body.
struct Body<'m>(&'m [u8]);

impl<'m> Body<'m> {
    fn rest(&mut self) -> &'m [u8] {
        std::mem::take(&mut self.0)
    }

    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn part(&mut self) -> Option<Option<&'m [u8]>> {
        let length = self.number()?;
        if length == ABSENT {
            return Some(None);
        }
        let (part, rest) = self.0.split_at_checked(length as usize)?;
        self.0 = rest;
        Some(Some(part))
    }

    fn call(&mut self) -> Option<Call<'m>> {
        let deadline = self.number().filter(|deadline| *deadline != ABSENT);
        let deadline = deadline.map(|milliseconds| Duration::from_millis(milliseconds.into()));
        Some(Call {
            deadline,
            hook: std::str::from_utf8(self.part()??).ok()?,
            payload: self.part()??,
            context: self.part()??,
            extensions: self.part()?,
        })
    }

    fn reply(&mut self) -> Option<Message<'m>> {
        Some(Message::Reply { result: self.part()??, context: self.part()? })
    }
}
