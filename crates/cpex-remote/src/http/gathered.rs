//! A connection that is written to once for all that have something to say.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connector::Stream;

/// So many bytes are gathered before they are written.
const CAPACITY: usize = 16 * 1024;

/// A connection of HTTP/2. Its frames are put together by several tasks, headers by one and a body by another, and each
/// is to be flushed by itself; a system call and a wake-up of the peer for each would cost more than the rest of a call.
///
/// Whoever flushes is told that it is done, and woken to flush once more: when the tasks have run that are about to, and
/// nothing was added, all is written at once.
pub(crate) struct Gathered {
    stream: Box<dyn Stream>,
    gathered: Vec<u8>,
    /// How much there was when it was flushed last.
    flushed: usize,
}

impl Gathered {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, gathered: Vec::new(), flushed: 0 }
    }

    fn poll_write_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let ended = loop {
            let rest = &self.gathered[written..];
            if rest.is_empty() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.stream).poll_write(context, rest) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => written += more,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.gathered.drain(..written);
        self.flushed = self.gathered.len();
        ended
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let size = bytes.iter().map(|part| part.len()).sum();
        if self.gathered.len() + size > CAPACITY {
            ready!(self.poll_write_out(context))?;
            return Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        }
        bytes.iter().for_each(|part| self.gathered.extend_from_slice(part));
        Poll::Ready(Ok(size))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.len() != self.flushed {
            self.flushed = self.gathered.len();
            context.waker().wake_by_ref();
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_write_out(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
