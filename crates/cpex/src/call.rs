//! One call of a plugin: its deadline kept, its panics caught.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use cpex_core::Fault;
use tokio::time::{Sleep, sleep};
use tracing::Span;

use crate::clock::Moment;
use crate::context::PluginContext;
use crate::error::Failure;
use crate::extensions::Extensions;
use crate::payload::AnyPayload;
use crate::plan::Slot;
use crate::plugin::{Answer, BoxFuture, End};

/// Since when a plugin runs, and how long it may.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) since: Moment,
    pub(crate) lasts: Option<Duration>,
}

/// Calls a plugin and waits for its end. Dropped, it stops the plugin at the `await` where it stands.
pub(crate) fn call<'a>(
    slot: &'a Slot,
    payload: &'a dyn AnyPayload,
    context: &'a mut PluginContext,
    extensions: &'a Extensions,
    span: &'a Span,
    limit: Limit,
) -> impl Future<Output = End> + Send + 'a {
    let (mut due, mut running): (_, Option<BoxFuture<'_, Answer>>) = (Some(context), None);
    // Most plugins answer at once; only for others is a timer set.
    let mut deadline: Option<Pin<Box<Sleep>>> = None;
    poll_fn(move |task| {
        let mut step = || {
            if let Some(context) = due.take() {
                running = Some(slot.handler.call(payload, context, extensions));
            }
            running.as_mut().map_or(Poll::Pending, |running| running.as_mut().poll(task))
        };
        match span.in_scope(|| caught(&mut step)) {
            Ok(Poll::Ready(Answer(end))) => return Poll::Ready(end),
            Ok(Poll::Pending) => {}
            Err(panicked) => return Poll::Ready(Err(Box::new(Fault::Error(panicked)))),
        }
        let Some(lasts) = limit.lasts else { return Poll::Pending };
        let left = || lasts.saturating_sub(limit.since.elapsed_for_timer());
        let deadline = deadline.get_or_insert_with(|| Box::pin(sleep(left())));
        deadline.as_mut().poll(task).map(|()| Err(Box::new(Fault::Timeout(Some(lasts)))))
    })
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
