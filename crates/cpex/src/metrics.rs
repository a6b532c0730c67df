//! What is counted and measured, through the `metrics` facade. Counters are registered when they are first needed.

use std::sync::{Arc, OnceLock};

use cpex_core::record::Fate;
use cpex_core::{End, Outcome};
use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

use crate::clock::Moment;
use crate::failure::LoadFailure;
use crate::host::RustValues;

/// Those of one hook.
pub(crate) struct HookMetrics {
    hook: Arc<str>,
    decisions: [OnceLock<Counter>; DECISIONS.len()],
    duration: OnceLock<Histogram>,
    /// In the order of the line-up.
    plugins: Box<[PluginMetrics]>,
}

/// Those of one plugin at one hook.
struct PluginMetrics {
    plugin: Arc<str>,
    calls: Outcomes,
    background: Outcomes,
    duration: OnceLock<Histogram>,
}

/// A counter for each outcome.
#[derive(Default)]
struct Outcomes([OnceLock<Counter>; 9]);

const DECISIONS: [&str; 3] = ["allowed", "denied", "failed"];

/// Tells the recorder what there is.
pub(crate) fn describe() {
    describe_counter!("cpex_invocations_total", Unit::Count, "Hooks that were invoked, by decision.");
    describe_histogram!("cpex_invocation_duration_seconds", Unit::Seconds, "How long hooks took.");
    describe_counter!(
        "cpex_plugin_calls_total",
        Unit::Count,
        "What became of the plugins of a hook, by outcome."
    );
    describe_histogram!("cpex_plugin_duration_seconds", Unit::Seconds, "How long plugins took to answer.");
    describe_counter!(
        "cpex_background_calls_total",
        Unit::Count,
        "How plugins in the background ended, by outcome."
    );
    describe_counter!(
        "cpex_external_events_total",
        Unit::Count,
        "What happened among the servers of external plugins: breakers, health checks, names, tries."
    );
    describe_counter!("cpex_load_failures_total", Unit::Count, "Plugins that could not be loaded, by phase.");
}

pub(crate) fn load_failed(failure: &LoadFailure) {
    let plugin = failure.name.clone();
    counter!("cpex_load_failures_total", "plugin" => plugin, "phase" => failure.phase.word()).increment(1);
}

/// What a server of plugins has to tell. No label is a peer's choice.
#[cfg(feature = "external")]
pub(crate) fn served(event: &cpex_remote::Event<'_>) {
    use cpex_remote::{End, Event};
    use metrics::gauge;
    match event {
        Event::Opened => gauge!("cpex_server_connections").increment(1.0),
        Event::Closed(_) => gauge!("cpex_server_connections").decrement(1.0),
        Event::Refused(_) => counter!("cpex_server_refusals_total").increment(1),
        Event::Invoked { took, end, .. } => {
            let end = match end {
                End::Result => "result",
                End::Error => "error",
                End::Abandoned => "abandoned",
            };
            counter!("cpex_server_calls_total", "end" => end).increment(1);
            histogram!("cpex_server_call_duration_seconds").record(took.as_secs_f64());
        }
        _ => {}
    }
}

/// What happens among the servers of an external plugin. No label is a server's choice.
#[cfg(feature = "external")]
pub(crate) fn balanced(plugin: &str, event: &cpex_remote::balance::BalanceEvent<'_>) {
    use cpex_remote::balance::{BalanceEvent, State};
    let event = match event {
        BalanceEvent::Breaker { to: State::Open { .. }, .. } => "breaker_opened",
        BalanceEvent::Breaker { to: State::HalfOpen, .. } => "breaker_half_opened",
        BalanceEvent::Breaker { to: State::Closed, .. } => "breaker_closed",
        BalanceEvent::Ejected { .. } => "ejected",
        BalanceEvent::Readmitted { .. } => "readmitted",
        BalanceEvent::Joined { .. } => "joined",
        BalanceEvent::Left { .. } => "left",
        BalanceEvent::Retried { .. } => "retried",
        BalanceEvent::Hedged { .. } => "hedged",
        _ => return,
    };
    counter!("cpex_external_events_total", "plugin" => plugin.to_owned(), "event" => event).increment(1);
}

impl HookMetrics {
    pub(crate) fn new<'a>(hook: &str, plugins: impl Iterator<Item = &'a str>) -> Self {
        let of = |plugin: &str| PluginMetrics {
            plugin: plugin.into(),
            calls: Outcomes::default(),
            background: Outcomes::default(),
            duration: OnceLock::new(),
        };
        Self {
            hook: hook.into(),
            decisions: Default::default(),
            duration: OnceLock::new(),
            plugins: plugins.map(of).collect(),
        }
    }

    /// Counts an invocation, and its plugins by what became of them.
    pub(crate) fn count(&self, outcome: &Outcome<RustValues>, started: Moment) {
        let decision = match outcome.end {
            End::Completed => 0,
            End::Halted { .. } => 1,
            End::Raised { .. } => 2,
        };
        let hook = &self.hook;
        let counter =
            || counter!("cpex_invocations_total", "hook" => hook.clone(), "decision" => DECISIONS[decision]);
        self.decisions[decision].get_or_init(counter).increment(1);
        let duration = || histogram!("cpex_invocation_duration_seconds", "hook" => hook.clone());
        self.duration.get_or_init(duration).record(started.elapsed());
        for record in &outcome.records {
            let PluginMetrics { plugin, calls, duration, .. } = &self.plugins[record.entry];
            let counter = |outcome: &'static str| counter!("cpex_plugin_calls_total", "hook" => hook.clone(), "plugin" => plugin.clone(), "outcome" => outcome);
            calls.count(record.fate, counter);
            if record.duration_ns > 0 {
                let histogram = || histogram!("cpex_plugin_duration_seconds", "hook" => hook.clone(), "plugin" => plugin.clone());
                let lasted = std::time::Duration::from_nanos(record.duration_ns);
                duration.get_or_init(histogram).record(lasted);
            }
        }
    }

    /// Counts the end of a plugin in the background.
    pub(crate) fn count_background(&self, entry: usize, fate: Fate) {
        let (hook, PluginMetrics { plugin, background, .. }) = (&self.hook, &self.plugins[entry]);
        background.count(fate, |outcome| {
            counter!("cpex_background_calls_total", "hook" => hook.clone(), "plugin" => plugin.clone(), "outcome" => outcome)
        });
    }
}

impl Outcomes {
    fn count(&self, fate: Fate, counter: impl FnOnce(&'static str) -> Counter) {
        let index = match fate {
            Fate::Ran => 0,
            Fate::Denied | Fate::Refused => 1,
            Fate::Suppressed => 2,
            Fate::Failed { .. } | Fate::Interrupted => 3,
            Fate::TimedOut { .. } => 4,
            Fate::Cancelled => 5,
            Fate::Detached => 6,
            Fate::Skipped(cpex_core::record::Skip::Disabled) => 7,
            Fate::Skipped(_) => 8,
        };
        self.0[index].get_or_init(|| counter(fate.word())).increment(1);
    }
}
