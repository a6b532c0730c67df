//! What is counted and measured, through the `metrics` facade, if the feature of that name is on.

use cpex_core::Outcome;

use crate::host::RustValues;
use crate::plan::HookPlan;

/// Counts the plugins of an invocation by what became of them, and how long each took.
#[cfg(feature = "metrics")]
pub(crate) fn count(hook: &HookPlan, outcome: &Outcome<RustValues>) {
    for record in &outcome.records {
        let plugin = hook.line_up.entries()[record.entry].plugin.plugin.name();
        let (plugin, hook) = (plugin.to_owned(), hook.name.to_string());
        let word = record.fate.word();
        metrics::counter!("cpex_plugin_calls_total", "plugin" => plugin.clone(), "hook" => hook.clone(), "outcome" => word)
            .increment(1);
        if record.duration_ns > 0 {
            let seconds = std::time::Duration::from_nanos(record.duration_ns).as_secs_f64();
            metrics::histogram!("cpex_plugin_duration_seconds", "plugin" => plugin, "hook" => hook)
                .record(seconds);
        }
    }
}

#[cfg(not(feature = "metrics"))]
pub(crate) const fn count(_: &HookPlan, _: &Outcome<RustValues>) {}
