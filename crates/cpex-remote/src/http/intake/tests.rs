use std::convert::Infallible;
use std::sync::Arc;

use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};

use super::{Arrived, End};

/// A piece of a body that is seen as long as it is kept.
struct Piece(#[allow(dead_code, reason = "counted, not read")] Arc<()>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        b"x"
    }
}

fn body(pieces: usize, kept: &Arc<()>) -> impl hyper::body::Body<Data = Bytes, Error = Infallible> + Unpin {
    let pieces: Vec<_> = (0..pieces).map(|_| Bytes::from_owner(Piece(kept.clone()))).collect();
    StreamBody::new(stream::iter(pieces.into_iter().map(|piece| Ok(Frame::data(piece)))))
}

#[tokio::test]
async fn of_many_pieces_none_is_kept() {
    let kept = Arc::new(());
    let mut arrived = Arrived::default();
    assert_eq!(arrived.take(&mut body(1000, &kept), 1000).await, Ok(End::Reached));
    assert_eq!(Arc::strong_count(&kept), 1);
    assert_eq!(arrived.whole(), "x".repeat(1000));
}

#[tokio::test]
async fn a_single_piece_is_not_copied() {
    let kept = Arc::new(());
    let mut arrived = Arrived::default();
    assert_eq!(arrived.take(&mut body(1, &kept), 1000).await, Ok(End::Reached));
    assert_eq!(Arc::strong_count(&kept), 2);
    assert_eq!(arrived.whole(), "x");
}

#[tokio::test]
async fn no_more_is_taken_than_it_takes_to_know_that_there_is_more() {
    let kept = Arc::new(());
    let (mut arrived, mut body) = (Arrived::default(), body(10, &kept));
    assert_eq!(arrived.take(&mut body, 2).await, Ok(End::More));
    assert_eq!(arrived.take(&mut body, 2).await, Ok(End::More));
    assert_eq!(arrived.size(), 3);
    assert_eq!(arrived.take(&mut body, 10).await, Ok(End::Reached));
    assert_eq!(arrived.whole(), "x".repeat(10));
}
