//! One call of a plugin: its deadline kept, its panics caught.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use cpex_core::Fault;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Span;

use crate::context::PluginContext;
use crate::error::Failure;
use crate::extensions::Extensions;
use crate::host::RustValues;
use crate::payload::AnyPayload;
use crate::plan::Slot;
use crate::plugin::{Answer, BoxFuture};
use crate::reply::Reply;

/// What came of a call.
pub(crate) type End = Result<Reply<std::sync::Arc<dyn AnyPayload>>, Fault<RustValues>>;

/// Since when a plugin runs, and how long it may.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) since: Instant,
    pub(crate) lasts: Option<Duration>,
}

/// Calls a plugin and waits for its end. Dropped, it stops the plugin at the `await` where it stands.
pub(crate) async fn call(
    slot: &Slot,
    payload: &dyn AnyPayload,
    context: &mut PluginContext,
    extensions: &Extensions,
    span: &Span,
    limit: Limit,
) -> End {
    let handler = &*slot.handler;
    let mut running = match span.in_scope(|| caught(|| handler.call(payload, context, extensions))) {
        Ok(running) => running,
        Err(failure) => return Err(Fault::Error(failure)),
    };
    // Most plugins answer at once; only for others is a timer set.
    let mut deadline: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|task| {
        if let Poll::Ready(end) = span.in_scope(|| poll(&mut running, task)) {
            return Poll::Ready(end);
        }
        let Some(lasts) = limit.lasts else { return Poll::Pending };
        let deadline = deadline.get_or_insert_with(|| Box::pin(sleep_until(limit.since + lasts)));
        deadline.as_mut().poll(task).map(|()| Err(Fault::Timeout(Some(lasts))))
    })
    .await
}

fn poll(running: &mut BoxFuture<'_, Answer>, task: &mut Task<'_>) -> Poll<End> {
    match caught(|| running.as_mut().poll(task)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(Answer(Ok(reply)))) => Poll::Ready(Ok(reply)),
        Ok(Poll::Ready(Answer(Err(error)))) => Poll::Ready(Err(match Failure::from(error) {
            refused @ Failure::Refused(_) => Fault::Refusal(refused),
            failed => Fault::Error(failed),
        })),
        Err(failure) => Poll::Ready(Err(Fault::Error(failure))),
    }
}

/// A panic is a failure of the plugin: it is judged as one. What it left half-done is the plugin's own, and it is
/// not polled again.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Failure::Panicked(text.unwrap_or("no message").into())
    })
}
