//! The bodies of answers.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Bytes, Frame, SizeHint};

type Failed = Box<dyn Error + Send + Sync>;

/// The body of an answer.
pub(crate) type BoxBody = UnsyncBoxBody<Bytes, Failed>;

/// A body that keeps something as long as it is there.
pub(crate) fn keep<D>(body: D, kept: impl Send + Unpin + 'static) -> BoxBody
where
    D: Body<Data = Bytes, Error: Into<Failed>> + Send + Unpin + 'static,
{
    Keeping { body, _kept: kept }.map_err(Into::into).boxed_unsync()
}

struct Keeping<D, K> {
    body: D,
    _kept: K,
}

impl<D: Body + Unpin, K: Unpin> Body for Keeping<D, K> {
    type Data = D::Data;
    type Error = D::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<D::Data>, D::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
