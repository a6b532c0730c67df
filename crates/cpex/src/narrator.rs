//! What is logged, through `tracing`: decisions and failures, never a payload or a secret.

use cpex_core::host::Event;
use cpex_core::payload::Discard;
use tracing::{debug, warn};

use crate::host::RustValues;
use crate::violation::Violation;

pub(crate) fn tell(hook: &str, plugin: &str, event: &Event<'_, RustValues<'_>>) {
    match event {
        Event::Denied(_) => {}
        Event::Halted(violation) => warn!(hook, plugin, code = code(*violation), "denied"),
        Event::Suppressed(violation) => {
            warn!(hook, plugin, code = code(*violation), "denied in a mode that may not; the pipeline goes on");
        }
        Event::Discarded(Discard::Phase | Discard::Unchanged, _) => {
            debug!(hook, plugin, "its payload was not taken: its mode only observes, or nothing is changed");
        }
        Event::Discarded(why, _) => warn!(hook, plugin, ?why, "its payload was not taken"),
        Event::Trimmed(fields) => warn!(hook, plugin, ?fields, "changed fields that the policy does not let it write"),
        Event::Ignored(fault) => warn!(hook, plugin, error = %cause(fault), "failed; the pipeline goes on"),
        Event::Disabled(fault) => warn!(hook, plugin, error = %cause(fault), "failed; it is off from now on"),
        Event::Raised(fault) => warn!(hook, plugin, error = %cause(fault), "failed; the pipeline ends"),
    }
}

fn code<'a>(violation: Option<&'a Violation>) -> &'a str {
    violation.map_or("", |violation| &violation.code)
}

fn cause(fault: &cpex_core::Fault<RustValues<'_>>) -> String {
    use cpex_core::Fault;
    match fault {
        Fault::Error(error) | Fault::Refusal(error) | Fault::Interrupt(error) => error.to_string(),
        Fault::Timeout(Some(limit)) => format!("took longer than {limit:?}"),
        Fault::Timeout(None) => "took too long".to_owned(),
    }
}
