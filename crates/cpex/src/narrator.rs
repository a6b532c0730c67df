//! What is logged, through `tracing`: decisions and failures, never a payload or a secret.

use cpex_core::host::Event;
use cpex_core::payload::Discard;
use tracing::{Span, debug, debug_span, error, warn};

use crate::failure::LoadFailure;
use crate::host::RustValues;
use crate::plan::HookPlan;
use crate::violation::Violation;

/// The span of a hook.
pub(crate) fn hook_span(hook: &HookPlan) -> Span {
    debug_span!("cpex.hook", hook = &*hook.name, plugins = hook.line_up.entries().len())
}

/// The span of a plugin's call.
pub(crate) fn plugin_span(plugin: &str) -> Span {
    debug_span!("cpex.plugin", plugin)
}

/// Tells of one plugin of one invocation.
pub(crate) fn tell(hook: &str, plugin: &str, event: &Event<'_, RustValues>) {
    match event {
        Event::Denied(_) => {}
        Event::Halted(violation) => warn!(hook, plugin, code = code(*violation), "denied"),
        Event::Suppressed(violation) => {
            warn!(
                hook,
                plugin,
                code = code(*violation),
                "denied in a mode that cannot block; the pipeline goes on"
            );
        }
        Event::Discarded(why @ (Discard::Phase | Discard::Unchanged), _) => {
            debug!(hook, plugin, why = why.text(), "its payload is not taken");
        }
        Event::Discarded(why, _) => warn!(hook, plugin, why = why.text(), "its payload is not taken"),
        Event::Trimmed(fields) => {
            warn!(hook, plugin, ?fields, "changed fields that the policy does not let it write");
        }
        Event::Refused(slots) => {
            for (slot, why) in *slots {
                let (slot, why) = (slot.policy().path, why.text(*slot));
                warn!(hook, plugin, slot, why, "changed extensions that it may not write");
            }
        }
        Event::Ignored(fault) => warn!(hook, plugin, error = %cause(fault), "failed; the pipeline goes on"),
        Event::Disabled(fault) => warn!(hook, plugin, error = %cause(fault), "failed; it is off from now on"),
        Event::Raised(fault) => warn!(hook, plugin, error = %cause(fault), "failed; the pipeline ends"),
    }
}

/// Tells of a plugin that could not be loaded.
pub(crate) fn load_failed(failure: &LoadFailure) {
    let LoadFailure { name, kind, phase, error: reason, place } = failure;
    error!(plugin = name, kind, phase = phase.word(), place, error = reason, "cannot be loaded");
}

fn code(violation: Option<&impl AsRef<Violation>>) -> &str {
    violation.map_or("", |violation| &violation.as_ref().code)
}

/// Why a plugin failed, in words.
pub(crate) fn cause(fault: &cpex_core::Fault<RustValues>) -> String {
    use cpex_core::Fault;
    match fault {
        Fault::Error(error) | Fault::Refusal(error) | Fault::Interrupt(error) => error.to_string(),
        Fault::Timeout(Some(limit)) => format!("took longer than {limit:?}"),
        Fault::Timeout(None) => "took too long".to_owned(),
    }
}
