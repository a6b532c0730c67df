//! The tokio driver: carries out what the core says, on the caller's task.

use std::mem::take;
use std::sync::Arc;

use cpex_core::action::Work;
use cpex_core::{Action, Fault, Invocation, LineUp, Misuse, Reply};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};

use crate::call::{Limit, call};
use crate::clock::Moment;
use crate::context::PluginContext;
use crate::denial;
use crate::detached::Background;
use crate::error::Failure;
use crate::extensions::{self, Extensions};
use crate::host::{Handle, Hosted, RustValues};
use crate::narrator;
use crate::payload::AnyPayload;
use crate::plan::Slot;
use crate::plugin::{AnyReply, End};
use crate::reply::Decision;

/// How a plugin that runs beside others ended, with what it leaves.
struct Ended {
    entry: usize,
    context: PluginContext,
    end: End,
}

/// Runs an invocation to its end.
pub(crate) async fn drive(
    invocation: &mut Invocation<RustValues, &LineUp<Slot>>,
    host: &mut Hosted<'_>,
    background: &mut Background<'_>,
    started: Moment,
) {
    let mut now = started;
    let mut running = None;
    loop {
        match invocation.poll(host) {
            Action::Call(Work { entry, payload, extensions, timeout }) => {
                let slot = host.slot(entry);
                let Hosted { hook, original, context, .. } = &mut *host;
                let (shown, previous) = shown(&payload, *original, hook.types.is_chained());
                context.begin(slot.plugin.id, previous);
                let span = narrator::plugin_span(&hook.name, slot);
                let limit = Limit { since: now, lasts: timeout };
                let end = call(slot, shown, context, or_none(extensions.as_deref()), &span, limit).await;
                narrator::plugin_ended(&span, &end, now);
                now = Moment::now();
                tell(invocation, host, entry, end, now.since(started));
            }
            Action::Spawn(work) => {
                running.get_or_insert_with(FuturesUnordered::new).push(beside(host, work));
            }
            Action::Cancel(entry) => {
                // Dropping a future stops it: all that run are stopped together, and the core names each.
                running = None;
                expect(invocation.handle_cancelled(entry, now.since(started)));
            }
            Action::Detach(work) => background.start(host, work),
            Action::Wait => {
                let Some(running) = &mut running else { unreachable!("there is nothing to wait for") };
                let mut next = running.next().await;
                now = Moment::now();
                while let Some(ended) = next {
                    tell_of(invocation, host, ended, now.since(started));
                    next = running.next().now_or_never().flatten();
                }
            }
            Action::Done => return,
        }
    }
}

/// A call that runs while others do. Its time begins when it is first polled: waiting for the pool does not count.
fn beside<'a>(host: &Hosted<'a>, work: Work<RustValues>) -> impl Future<Output = Ended> + use<'a> {
    let Work { entry, payload, extensions, timeout } = work;
    let (slot, original, hook) = (host.slot(entry), host.original, host.hook);
    let mut context = PluginContext::new(host.request);
    async move {
        let (shown, previous) = shown(&payload, original, hook.types.is_chained());
        context.begin(slot.plugin.id, previous);
        let span = narrator::plugin_span(&hook.name, slot);
        let limit = Limit { since: Moment::now(), lasts: timeout };
        let end = call(slot, shown, &mut context, or_none(extensions.as_deref()), &span, limit).await;
        narrator::plugin_ended(&span, &end, limit.since);
        Ended { entry, context, end }
    }
}

/// What a plugin is shown: the payload as it is now, or, at a hook that returns something else, always what the hook
/// is about, with what the plugins before it made beside it.
pub(crate) fn shown<'a>(
    payload: &'a Handle,
    original: &'a dyn AnyPayload,
    chained: bool,
) -> (&'a dyn AnyPayload, Option<Arc<dyn AnyPayload>>) {
    match payload {
        Handle::Original => (original, None),
        Handle::Made(made) if chained => (&**made, None),
        Handle::Made(made) => (original, Some(made.clone())),
    }
}

pub(crate) fn or_none(extensions: Option<&Extensions>) -> &Extensions {
    extensions.unwrap_or(&extensions::NONE)
}

/// Tells the core how a plugin ended, whose context is the host's.
#[inline]
fn tell(
    invocation: &mut Invocation<RustValues, &LineUp<Slot>>,
    host: &mut Hosted<'_>,
    entry: usize,
    end: End,
    now_ns: u64,
) {
    host.context.keep_own();
    let told = match end {
        Ok(None) => invocation.handle_reply(host, entry, Reply::ALLOW, now_ns),
        Ok(Some(reply)) => tell_more(invocation, host, entry, Ok(*reply), now_ns),
        Err(fault) => tell_more(invocation, host, entry, Err(*fault), now_ns),
    };
    expect(told);
}

/// The same of one that ran beside others.
#[inline(never)]
fn tell_of(
    invocation: &mut Invocation<RustValues, &LineUp<Slot>>,
    host: &mut Hosted<'_>,
    ended: Ended,
    now_ns: u64,
) {
    let Ended { entry, context, end } = ended;
    host.context = context;
    tell(invocation, host, entry, end, now_ns);
}

// Apart from the common answer, which is told in the driver's loop.
#[inline(never)]
fn tell_more(
    invocation: &mut Invocation<RustValues, &LineUp<Slot>>,
    host: &mut Hosted<'_>,
    entry: usize,
    end: Result<AnyReply, Fault<RustValues>>,
    now_ns: u64,
) -> Result<(), Misuse> {
    match end.and_then(|reply| in_core_terms(host, entry, reply)) {
        Ok(reply) => invocation.handle_reply(host, entry, reply, now_ns),
        Err(fault) => invocation.handle_fault(host, entry, fault, now_ns),
    }
}

/// Puts a reply into the core's words; its metadata stays with the host. A payload that the hook does not return is
/// a failure.
fn in_core_terms(
    host: &mut Hosted<'_>,
    entry: usize,
    reply: AnyReply,
) -> Result<Reply<RustValues>, Fault<RustValues>> {
    let AnyReply { decision, mut more } = reply;
    let mut reply = Reply::ALLOW;
    match decision {
        Decision::Allow => {}
        Decision::Deny(mut violation) => {
            violation.plugin = host.slot(entry).plugin.name().into();
            (reply.allow, reply.violation) = (false, Some(violation));
            if let Some(more) = more.as_mut().filter(|more| !more.denial_metadata.is_empty()) {
                host.denials.push((entry, denial::sanitized(take(&mut more.denial_metadata))));
            }
        }
        Decision::Modify(made) => {
            let (returns, found) = (host.hook.types.reply, made.kind());
            if found != returns {
                let text = format!("the hook returns {}, the plugin returned {}", returns.name, found.name);
                return Err(Fault::Error(Failure::Error(text.into())));
            }
            reply.payload = Some(Handle::Made(made));
        }
    }
    host.said = more;
    if let Some(more) = &mut host.said {
        reply.extensions = more.extensions.take();
        reply.retry_delay_ms = i64::try_from(more.retry_after.as_millis()).unwrap_or(i64::MAX);
    }
    Ok(reply)
}

/// The driver tells the end of each plugin it was asked to start, once.
fn expect(told: Result<(), Misuse>) {
    if let Err(misuse) = told {
        unreachable!("{misuse}");
    }
}
