//! The tokio driver: carries out what the core says, on the caller's task.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use cpex_core::{Action, Fault, Invocation, Misuse, Outcome, Reply, Work};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use serde_json::Map;
use tokio_util::task::TaskTracker;

use crate::context::{Context, PluginContext};
use crate::error::Failure;
use crate::host::{Handle, Hosted, Left, RustValues};
use crate::payload::AnyPayload;
use crate::plugin::{Answer, Handler};
use crate::registered::Slot;
use crate::reply::Decision;
use crate::violation::Violation;

/// How a call ended, with what the plugin left.
struct Ended {
    entry: usize,
    left: Left,
    end: Result<Told, Fault<RustValues<'static>>>,
}

/// An answer in the words of the core, without lifetimes.
struct Told {
    allow: bool,
    violation: Option<Violation>,
    payload: Option<Arc<dyn AnyPayload>>,
    retry_delay_ms: i64,
}

/// Runs an invocation to its end.
pub(crate) async fn drive<'a>(
    mut invocation: Invocation<RustValues<'a>>,
    host: &mut Hosted<'a>,
    detached: &TaskTracker,
) -> Outcome<RustValues<'a>> {
    let started = Instant::now();
    let now = || u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let mut running = FuturesUnordered::new();
    loop {
        match invocation.poll(host) {
            Action::Call(work) => {
                let ended = call(seat(host, &work), host.context, work).await;
                tell(&mut invocation, host, ended, now());
            }
            Action::Spawn(work) => running.push(call(seat(host, &work), host.context, work)),
            // Dropping a future stops it: all that run are stopped together, and the core names each.
            Action::Cancel(entry) => {
                running.clear();
                expect(invocation.handle_cancelled(entry, now()));
            }
            Action::Detach(work) => detach(seat(host, &work), host.context, &work, detached),
            Action::Wait => {
                let mut ended = running.next().await;
                while let Some(end) = ended {
                    tell(&mut invocation, host, end, now());
                    ended = running.next().now_or_never().flatten();
                }
            }
            Action::Done => return invocation.into_outcome(),
        }
    }
}

fn seat(host: &Hosted<'_>, work: &Work<RustValues<'_>>) -> Slot {
    host.line_up.entries()[work.entry].plugin.clone()
}

/// Calls a plugin and waits for its end.
async fn call(slot: Slot, context: &Context, work: Work<RustValues<'_>>) -> Ended {
    let mut given = context.give(slot.plugin.id);
    let (end, metadata) = run(&*slot.handler, work.payload.get(), &mut given, work.timeout).await;
    context.keep(slot.plugin.id, &mut given);
    Ended { entry: work.entry, left: Left { context: given, metadata }, end }
}

/// Starts a plugin in the background.
fn detach(slot: Slot, context: &Context, work: &Work<RustValues<'_>>, tracker: &TaskTracker) {
    let (payload, limit) = (work.payload.to_shared(), work.timeout);
    let mut given = context.give(slot.plugin.id);
    tracker.spawn(async move {
        let (end, _) = run(&*slot.handler, &*payload, &mut given, limit).await;
        if let Err(fault) = end {
            let plugin = &slot.plugin.name;
            match fault {
                Fault::Error(error) | Fault::Refusal(error) | Fault::Interrupt(error) => {
                    tracing::warn!(plugin, %error, "failed in the background");
                }
                Fault::Timeout(limit) => tracing::warn!(plugin, ?limit, "took too long in the background"),
            }
        }
    });
}

type End = Result<Told, Fault<RustValues<'static>>>;

/// One call under its time limit. A panic is a failure of the plugin.
async fn run(
    handler: &dyn Handler,
    payload: &dyn AnyPayload,
    context: &mut PluginContext,
    limit: Option<Duration>,
) -> (End, Map<String, serde_json::Value>) {
    // A closure may panic as soon as it is called, and so inside.
    let call = async move { handler.call(payload, context).await };
    let mut future = pin!(AssertUnwindSafe(call).catch_unwind());
    // Most plugins answer at once; only for others is a timer set.
    let first = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
    let answered = match (first, limit) {
        (Poll::Ready(answered), _) => answered,
        (Poll::Pending, None) => future.await,
        (Poll::Pending, Some(limit)) => match tokio::time::timeout(limit, future).await {
            Ok(answered) => answered,
            Err(_) => return (Err(Fault::Timeout(Some(limit))), Map::new()),
        },
    };
    match answered {
        Err(panic) => (Err(Fault::Error(Failure::Panicked(message(&*panic)))), Map::new()),
        Ok(Answer(Err(error))) => match error.downcast::<Violation>() {
            Ok(violation) => (Err(Fault::Refusal(Failure::Refused(violation))), Map::new()),
            Err(error) => (Err(Fault::Error(Failure::Error(error))), Map::new()),
        },
        Ok(Answer(Ok(reply))) => {
            let retry_delay_ms = i64::try_from(reply.retry_after.as_millis()).unwrap_or(i64::MAX);
            let told = |allow, violation, payload| Told { allow, violation, payload, retry_delay_ms };
            let told = match reply.decision {
                Decision::Allow => told(true, None, None),
                Decision::Modify(payload) => told(true, None, Some(payload)),
                Decision::Deny(violation) => told(false, Some(violation), None),
            };
            (Ok(told), reply.metadata)
        }
    }
}

fn tell<'a>(invocation: &mut Invocation<RustValues<'a>>, host: &mut Hosted<'a>, ended: Ended, now: u64) {
    let Ended { entry, left, end } = ended;
    let plugin = &host.line_up.entries()[entry].plugin.plugin;
    let told = match end {
        Ok(Told { allow, mut violation, payload, retry_delay_ms }) => {
            if let Some(violation) = &mut violation {
                violation.plugin = plugin.name.clone().into();
            }
            host.left = Some(left);
            let payload = payload.map(Handle::Shared);
            let reply = Reply { allow, violation, payload, extensions: None, retry_delay_ms };
            invocation.handle_reply(host, entry, reply, now)
        }
        Err(fault) => invocation.handle_fault(host, entry, owned(fault), now),
    };
    expect(told);
}

fn owned<'a>(fault: Fault<RustValues<'static>>) -> Fault<RustValues<'a>> {
    match fault {
        Fault::Error(error) => Fault::Error(error),
        Fault::Timeout(limit) => Fault::Timeout(limit),
        Fault::Refusal(error) => Fault::Refusal(error),
        Fault::Interrupt(error) => Fault::Interrupt(error),
    }
}

/// The driver tells the end of each plugin it was asked to start, once.
fn expect(told: Result<(), Misuse>) {
    if let Err(misuse) = told {
        unreachable!("{misuse}");
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
