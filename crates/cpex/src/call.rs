//! One call of a plugin: its deadline kept, its panics caught.

use std::any::Any;
use std::future::poll_fn;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Duration;

use cpex_core::Fault;
use futures_util::future::lazy;
use tokio::time::sleep;
use tracing::Span;

use crate::clock::Moment;
use crate::context::PluginContext;
use crate::error::Failure;
use crate::extensions::Extensions;
use crate::host::RustValues;
use crate::payload::AnyPayload;
use crate::plan::Slot;
use crate::plugin::{Answer, BoxFuture, End};

/// Since when a plugin runs, and how long it may.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) since: Moment,
    pub(crate) lasts: Option<Duration>,
}

/// A call after its first step.
enum Begun<'a> {
    Ended(End),
    Waits(BoxFuture<'a, Answer>),
}

/// Calls a plugin and waits for its end. Dropped, it stops the plugin at the `await` where it stands.
#[inline]
pub(crate) async fn call(
    slot: &Slot,
    payload: &dyn AnyPayload,
    context: &mut PluginContext,
    extensions: &Extensions,
    span: &Span,
    limit: Limit,
) -> End {
    #[cfg(feature = "_foreign")]
    context.set_limit(limit);
    let begin = lazy(|task| {
        stepped(span, || {
            let mut running = slot.handler.call(payload, context, extensions);
            match running.as_mut().poll(task) {
                Poll::Ready(Answer(end)) => Begun::Ended(end),
                Poll::Pending => Begun::Waits(running),
            }
        })
    });
    // Most plugins answer at once; only for others is a timer set.
    match begin.await {
        Ok(Begun::Ended(end)) => end,
        Ok(Begun::Waits(running)) => wait(running, span, limit).await,
        Err(panicked) => Err(panicked),
    }
}

/// Waits for the end of a call that has just been polled.
async fn wait(mut running: BoxFuture<'_, Answer>, span: &Span, limit: Limit) -> End {
    let Limit { since, lasts } = limit;
    let mut deadline =
        lasts.map(|lasts| (lasts, Box::pin(sleep(lasts.saturating_sub(since.elapsed_for_timer())))));
    let mut polled = true;
    poll_fn(|task| {
        if !mem::take(&mut polled) {
            match stepped(span, || running.as_mut().poll(task)) {
                Ok(Poll::Ready(Answer(end))) => return Poll::Ready(end),
                Ok(Poll::Pending) => {}
                Err(panicked) => return Poll::Ready(Err(panicked)),
            }
        }
        let Some((lasts, deadline)) = &mut deadline else { return Poll::Pending };
        deadline.as_mut().poll(task).map(|()| Err(Box::new(Fault::Timeout(Some(*lasts)))))
    })
    .await
}

/// One step of a plugin, in its span. A panic is a failure of the plugin: it is judged as one. What it left half-done
/// is the plugin's own, and it is not polled again.
#[inline]
fn stepped<T>(span: &Span, step: impl FnOnce() -> T) -> Result<T, Box<Fault<RustValues>>> {
    span.in_scope(|| catch_unwind(AssertUnwindSafe(step))).map_err(panicked)
}

#[cold]
fn panicked(panic: Box<dyn Any + Send>) -> Box<Fault<RustValues>> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Box::new(Fault::Error(Failure::Panicked(text.unwrap_or("no message").into())))
}
