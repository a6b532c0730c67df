//! What is told through `tracing`: decisions and failures, in the words of the report; never a payload or a secret.

use cpex_core::Fault;
use cpex_core::host::Event;
use cpex_core::payload::Discard;
use tracing::field::Empty;
use tracing::{Span, debug, debug_span, error, warn};

use crate::clock::Moment;
use crate::config::ConfigError;
use crate::failure::LoadFailure;
use crate::host::RustValues;
use crate::plan::{HookPlan, Slot};
use crate::plugin::End;
use crate::reply::Decision;
use crate::violation::Violation;

/// The span of a hook.
pub(crate) fn hook_span(hook: &HookPlan) -> Span {
    let plugins = hook.line_up.entries().len();
    debug_span!("cpex.hook", hook = &*hook.name, plugins, decision = Empty, duration_seconds = Empty)
}

/// The hook has ended.
pub(crate) fn hook_ended(span: &Span, end: &cpex_core::End<RustValues>, started: Moment) {
    let decision = match end {
        cpex_core::End::Completed => "allowed",
        cpex_core::End::Halted { .. } => "denied",
        cpex_core::End::Raised { .. } => "failed",
    };
    ended(span, decision, started);
}

/// The span of a plugin's call.
pub(crate) fn plugin_span(hook: &str, slot: &Slot) -> Span {
    let (plugin, mode) = (slot.plugin.name(), slot.plugin.config.mode.word());
    debug_span!("cpex.plugin", hook, plugin, mode, decision = Empty, duration_seconds = Empty)
}

/// The plugin has answered or failed.
pub(crate) fn plugin_ended(span: &Span, end: &End, started: Moment) {
    let decision = match end {
        Ok(None) => "allowed",
        Ok(Some(reply)) => match reply.decision {
            Decision::Allow => "allowed",
            Decision::Modify(_) => "modified",
            Decision::Deny(_) => "denied",
        },
        Err(fault) => outcome(fault),
    };
    ended(span, decision, started);
}

fn ended(span: &Span, decision: &'static str, started: Moment) {
    if !span.is_disabled() {
        span.record("decision", decision);
        span.record("duration_seconds", started.elapsed().as_secs_f64());
    }
}

/// Tells of one plugin of one invocation.
pub(crate) fn tell(hook: &str, slot: &Slot, event: &Event<'_, RustValues>) {
    let (plugin, mode) = (slot.plugin.name(), slot.plugin.config.mode.word());
    match event {
        Event::Denied(violation) => {
            let (code, reason) = why(*violation);
            debug!(hook, plugin, mode, code, reason, outcome = "denied", "denied");
        }
        Event::Halted(violation) => {
            let (code, reason) = why(*violation);
            warn!(hook, plugin, mode, code, reason, outcome = "denied", "denied: the pipeline is halted");
        }
        Event::Suppressed(violation) => {
            let (code, reason) = why(*violation);
            let outcome = "suppressed";
            warn!(
                hook,
                plugin, mode, code, reason, outcome, "denied where it cannot block: the pipeline continues"
            );
        }
        // What was trimmed is told for itself.
        Event::Discarded(why @ (Discard::Phase | Discard::Unchanged | Discard::NothingWritable), _) => {
            debug!(hook, plugin, mode, why = why.text(), "discarded: its payload is not taken");
        }
        Event::Discarded(why, _) => {
            warn!(hook, plugin, mode, why = why.text(), "discarded: its payload is not taken");
        }
        Event::Trimmed(fields) => {
            warn!(
                hook,
                plugin,
                mode,
                ?fields,
                "trimmed: it changed fields that the policy does not let it write"
            );
        }
        Event::Refused(slots) => {
            for (slot, why) in *slots {
                let (slot, why) = (slot.policy().path, why.text(*slot));
                warn!(hook, plugin, mode, slot, why, "changed extensions that it may not write");
            }
        }
        Event::Ignored(fault) => {
            let (outcome, cause) = (outcome(fault), cause(fault));
            error!(hook, plugin, mode, outcome, error = cause, "failed: the pipeline continues");
        }
        Event::Disabled(fault) => {
            let (outcome, cause) = (outcome(fault), cause(fault));
            error!(hook, plugin, mode, outcome, error = cause, "failed: it is disabled from now on");
        }
        Event::Raised(fault) => {
            let (outcome, cause) = (outcome(fault), cause(fault));
            error!(hook, plugin, mode, outcome, error = cause, "failed: the pipeline ends");
        }
    }
}

/// Tells of a plugin at a hook that nobody seems to invoke.
pub(crate) fn hook_unknown(plugin: &str, hook: &str, error: &ConfigError) {
    warn!(plugin, hook, %error, "may never run");
}

/// Tells of a plugin that could not be loaded.
pub(crate) fn load_failed(failure: &LoadFailure) {
    let LoadFailure { name, kind, phase, error: cause, place } = failure;
    error!(plugin = name, kind, phase = phase.word(), place, error = cause, "cannot be loaded");
}

fn why(violation: Option<&impl AsRef<Violation>>) -> (&str, &str) {
    violation.map_or(("", ""), |violation| (&*violation.as_ref().code, &*violation.as_ref().reason))
}

/// How a plugin failed, in the words of the report.
pub(crate) const fn outcome(fault: &Fault<RustValues>) -> &'static str {
    match fault {
        Fault::Timeout(_) => "timed_out",
        Fault::Refusal(_) => "denied",
        Fault::Error(_) | Fault::Interrupt(_) => "failed",
    }
}

/// Why a plugin failed, in words.
pub(crate) fn cause(fault: &Fault<RustValues>) -> String {
    match fault {
        Fault::Error(error) | Fault::Refusal(error) | Fault::Interrupt(error) => error.to_string(),
        Fault::Timeout(Some(limit)) => format!("took longer than {limit:?}"),
        Fault::Timeout(None) => "took too long".to_owned(),
    }
}
