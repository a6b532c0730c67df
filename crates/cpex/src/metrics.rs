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
    describe_counter!("cpex_load_failures_total", Unit::Count, "Plugins that could not be loaded, by phase.");
}

pub(crate) fn load_failed(failure: &LoadFailure) {
    let plugin = failure.name.clone();
    counter!("cpex_load_failures_total", "plugin" => plugin, "phase" => failure.phase.word()).increment(1);
}

/// Stands for a plugin or a hook that is not here: else its name would be a label of a peer's choice.
#[cfg(feature = "external")]
const UNKNOWN: &str = "unknown";

/// What a server of plugins has to tell, under the names of the Python host.
#[cfg(feature = "external")]
pub(crate) fn served(event: &cpex_remote::Event<'_>, is_known: impl FnOnce(&str, &str) -> bool) {
    use cpex_remote::{End, Event, Refusal};
    use metrics::gauge;
    match event {
        Event::Opened => gauge!("cpex_server_connections").increment(1.0),
        Event::Closed(_) => gauge!("cpex_server_connections").decrement(1.0),
        Event::Refused(refusal) => {
            let reason = match refusal {
                Refusal::Connections => "connections",
                Refusal::Size => "size",
                Refusal::Sessions => "sessions",
                _ => "memory",
            };
            counter!("cpex_server_refused_total", "reason" => reason).increment(1);
        }
        Event::Invoked { plugin, hook, took, end } => {
            let end = match end {
                End::Result => "result",
                End::Error => "error",
                End::Abandoned => "abandoned",
            };
            let (plugin, hook) = if is_known(plugin, hook) { (*plugin, *hook) } else { (UNKNOWN, UNKNOWN) };
            let labels = [("plugin", plugin.to_owned()), ("hook", hook.to_owned())];
            histogram!("cpex_server_call_duration_seconds", &labels).record(took.as_secs_f64());
            let [plugin, hook] = labels;
            counter!("cpex_server_calls_total", &[plugin, hook, ("end", end.to_owned())]).increment(1);
        }
        _ => {}
    }
}

/// A plugin of a server has denied.
#[cfg(feature = "external")]
pub(crate) fn denied(plugin: &str, hook: &str) {
    let labels = [("plugin", plugin.to_owned()), ("hook", hook.to_owned())];
    counter!("cpex_server_denials_total", &labels).increment(1);
}

/// A call that a server is answering.
#[cfg(feature = "external")]
pub(crate) struct InFlight(());

#[cfg(feature = "external")]
impl InFlight {
    pub(crate) fn begin() -> Self {
        metrics::gauge!("cpex_server_calls_in_flight").increment(1.0);
        Self(())
    }
}

#[cfg(feature = "external")]
impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("cpex_server_calls_in_flight").decrement(1.0);
    }
}

/// What happens among the servers of an external plugin, under the names of the Python host. No label is a server's
/// choice.
#[cfg(feature = "external")]
pub(crate) fn balanced(plugin: &str, event: &cpex_remote::balance::BalanceEvent<'_>) {
    use cpex_remote::balance::{BalanceEvent, State};
    use metrics::gauge;
    let labels = |server: &str| [("plugin", plugin.to_owned()), ("server", server.to_owned())];
    let word = |state: &State| match state {
        State::Open { .. } => "open",
        State::HalfOpen => "half_open",
        State::Closed => "closed",
    };
    let with = |server: &str, label: &'static str, state: &State| {
        let [plugin, server] = labels(server);
        [plugin, server, (label, word(state).to_owned())]
    };
    let breakers =
        |server: &str, state: &State| gauge!("cpex_external_breakers", &with(server, "state", state));
    match event {
        BalanceEvent::Known { target } => breakers(target, &State::Closed).increment(1.0),
        BalanceEvent::Forgotten { target, state } => breakers(target, state).decrement(1.0),
        BalanceEvent::Asked { target } => {
            gauge!("cpex_external_calls_in_flight", &labels(target)).increment(1.0);
        }
        BalanceEvent::Over { target } => {
            gauge!("cpex_external_calls_in_flight", &labels(target)).decrement(1.0);
        }
        BalanceEvent::Breaker { target, from, to } => {
            counter!("cpex_external_breaker_changes_total", &with(target, "to", to)).increment(1);
            breakers(target, from).decrement(1.0);
            breakers(target, to).increment(1.0);
        }
        BalanceEvent::Ejected { target } => {
            gauge!("cpex_external_silent", &labels(target)).set(1.0);
            counter!("cpex_external_ejections_total", &labels(target)).increment(1);
        }
        BalanceEvent::Readmitted { target } | BalanceEvent::Left { target } => {
            gauge!("cpex_external_silent", &labels(target)).set(0.0);
        }
        BalanceEvent::Retried { target } => {
            counter!("cpex_external_retries_total", &labels(target)).increment(1);
        }
        BalanceEvent::Hedged { target } => {
            counter!("cpex_external_hedges_total", &labels(target)).increment(1);
        }
        _ => {}
    }
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
