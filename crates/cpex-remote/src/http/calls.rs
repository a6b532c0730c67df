//! The calls of a connection: is it idle, and does its peer take what it asked for?

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// What is under way on a connection.
#[derive(Debug, Default)]
pub(super) struct Calls {
    under_way: watch::Sender<usize>,
    /// Answers that their peer has yet to take, by the turn in which it could: an even one or an odd one.
    offered: [AtomicUsize; 2],
    turn: AtomicUsize,
}

impl Calls {
    /// Returns when there was no call for a while: as long as one of these times, depending on whether there are too
    /// many connections.
    pub(super) async fn idle(
        &self,
        mut crowded: watch::Receiver<bool>,
        usual: Duration,
        in_a_crowd: Duration,
    ) {
        let mut under_way = self.under_way.subscribe();
        while under_way.wait_for(|calls| *calls == 0).await.is_ok() {
            let since = Instant::now();
            loop {
                let limit = if *crowded.borrow_and_update() { in_a_crowd } else { usual };
                tokio::select! {
                    _ = under_way.changed() => break,
                    Ok(()) = crowded.changed() => {}
                    () = sleep_until(since + limit) => return,
                }
            }
        }
    }

    /// Returns when an answer was not taken for so long, or up to twice as long.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            sleep(limit).await;
            let before = 1 - self.turn.load(Ordering::Relaxed);
            if self.offered[before].load(Ordering::Relaxed) > 0 {
                return;
            }
            self.turn.store(before, Ordering::Relaxed);
        }
    }
}

/// A call under way on a connection.
#[derive(Debug)]
pub(super) struct Call {
    calls: Arc<Calls>,
    /// The turn in which its answer was offered to the peer; `None` if it is not the peer that is waited for.
    offered: Option<usize>,
}

impl Call {
    pub(super) fn begin(calls: Arc<Calls>) -> Self {
        calls.under_way.send_modify(|calls| *calls += 1);
        Self { calls, offered: None }
    }

    /// The answer: from now on the peer is waited for.
    pub(super) fn answered<B>(mut self, body: B) -> Answer<B> {
        self.offer();
        Answer { body, rest: Bytes::new(), call: self }
    }

    fn offer(&mut self) {
        let turn = self.calls.turn.load(Ordering::Relaxed);
        if self.offered != Some(turn) {
            self.take_back();
            self.calls.offered[turn].fetch_add(1, Ordering::Relaxed);
            self.offered = Some(turn);
        }
    }

    fn take_back(&mut self) {
        if let Some(turn) = self.offered.take() {
            self.calls.offered[turn].fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.take_back();
        self.calls.under_way.send_modify(|calls| *calls -= 1);
    }
}

/// Bytes of an answer that are offered at a time: what a peer does not take stays here, where it counts.
const PIECE: usize = 16 * 1024;

/// The body of an answer, whose call is under way until it is taken.
pub(super) struct Answer<B> {
    body: B,
    /// What has come from the body and is not offered yet.
    rest: Bytes,
    call: Call,
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    /// Whoever asks has taken what was offered before.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.rest.is_empty() {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Poll::Pending => {
                    self.call.take_back();
                    return Poll::Pending;
                }
                ended @ Poll::Ready(_) => return ended,
            }
        }
        self.call.offer();
        let size = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (of_body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
