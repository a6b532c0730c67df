//! What a server measures, in the text format of Prometheus.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use cpex_remote::{End, Event, Refusal};

/// Upper bounds of the histogram of durations, in seconds.
const BOUNDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

const ENDS: [&str; 3] = ["result", "error", "abandoned"];
const REFUSALS: [&str; 4] = ["connections", "size", "memory", "sessions"];

/// What is counted where a peer names a plugin or a hook that is not here: names of its choice would be labels without
/// end.
const UNKNOWN: &str = "unknown";

/// Counts from the start of a server.
pub(super) struct Meters {
    listening: Vec<Listening>,
    hooks: HashMap<String, HashMap<String, Hook>>,
    unknown: Hook,
    running: AtomicI64,
    connections: AtomicI64,
    refused: [AtomicU64; REFUSALS.len()],
}

/// Over what a server is reached.
pub(super) struct Listening {
    pub(super) transport: &'static str,
    pub(super) tls: bool,
}

/// One hook of one plugin.
#[derive(Default)]
struct Hook {
    ends: [AtomicU64; ENDS.len()],
    denials: AtomicU64,
    buckets: [AtomicU64; BOUNDS.len()],
    nanoseconds: AtomicU64,
}

/// A call under way.
pub(super) struct Begun<'m>(&'m AtomicI64);

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Meters {
    /// Nothing was counted yet; `hooks` are those of all plugins, by the plugin's name.
    pub(super) fn new(listening: Vec<Listening>, hooks: Vec<(String, String)>) -> Self {
        let mut known: HashMap<String, HashMap<String, Hook>> = HashMap::new();
        for (plugin, hook) in hooks {
            known.entry(plugin).or_default().insert(hook, Hook::default());
        }
        Self {
            listening,
            hooks: known,
            unknown: Hook::default(),
            running: AtomicI64::default(),
            connections: AtomicI64::default(),
            refused: Default::default(),
        }
    }

    pub(super) fn begin(&self) -> Begun<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        Begun(&self.running)
    }

    pub(super) fn denied(&self, plugin: &str, hook: &str) {
        self.hook(plugin, hook).denials.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn observe(&self, event: &Event<'_>) {
        match event {
            Event::Opened => drop(self.connections.fetch_add(1, Ordering::Relaxed)),
            Event::Closed(_) => drop(self.connections.fetch_sub(1, Ordering::Relaxed)),
            Event::Refused(refusal) => {
                let why = match refusal {
                    Refusal::Connections => 0,
                    Refusal::Size => 1,
                    Refusal::Sessions => 3,
                    _ => 2,
                };
                self.refused[why].fetch_add(1, Ordering::Relaxed);
            }
            Event::Invoked { hook, plugin, took, end } => self.hook(plugin, hook).ended(*took, *end),
            _ => {}
        }
    }

    fn hook(&self, plugin: &str, hook: &str) -> &Hook {
        self.hooks.get(plugin).and_then(|hooks| hooks.get(hook)).unwrap_or(&self.unknown)
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        family(out, "plugin_info", "gauge", "Plugin server information")?;
        for Listening { transport, tls } in &self.listening {
            writeln!(
                out,
                r#"plugin_info{{server_name="MCP Plugin Server",ssl_enabled="{tls}",transport="{transport}"}} 1.0"#
            )?;
        }
        family(out, "cpex_server_connections", "gauge", "Connections that are open.")?;
        writeln!(out, "cpex_server_connections {}", self.connections.load(Ordering::Relaxed))?;
        family(
            out,
            "cpex_server_refused_total",
            "counter",
            "Connections and messages that were not taken, by reason.",
        )?;
        for (reason, count) in REFUSALS.iter().zip(&self.refused) {
            writeln!(
                out,
                r#"cpex_server_refused_total{{reason="{reason}"}} {}"#,
                count.load(Ordering::Relaxed)
            )?;
        }
        family(out, "cpex_server_calls_in_flight", "gauge", "Calls that are being answered.")?;
        writeln!(out, "cpex_server_calls_in_flight {}", self.running.load(Ordering::Relaxed))?;
        family(
            out,
            "cpex_server_calls_total",
            "counter",
            "Calls that have ended, by end; a denial is a result.",
        )?;
        for (labels, hook) in self.labelled() {
            for (end, count) in ENDS.iter().zip(&hook.ends) {
                let count = count.load(Ordering::Relaxed);
                writeln!(out, r#"cpex_server_calls_total{{{labels},end="{end}"}} {count}"#)?;
            }
        }
        family(out, "cpex_server_denials_total", "counter", "Results that deny.")?;
        for (labels, hook) in self.labelled() {
            writeln!(out, "cpex_server_denials_total{{{labels}}} {}", hook.denials.load(Ordering::Relaxed))?;
        }
        let help = "From the whole request to the plugin's answer.";
        family(out, "cpex_server_call_duration_seconds", "histogram", help)?;
        for (labels, hook) in self.labelled() {
            hook.write_durations(&labels, out)?;
        }
        Ok(())
    }

    fn labelled(&self) -> impl Iterator<Item = (String, &Hook)> {
        let known = self.hooks.iter().flat_map(|(plugin, hooks)| {
            hooks.iter().map(move |(hook, meters)| (labels(plugin, hook), meters))
        });
        known.chain([(labels(UNKNOWN, UNKNOWN), &self.unknown)])
    }
}

impl Hook {
    fn ended(&self, took: Duration, end: End) {
        let end = match end {
            End::Result => 0,
            End::Error => 1,
            End::Abandoned => 2,
        };
        self.ends[end].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
        self.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn write_durations(&self, labels: &str, out: &mut String) -> fmt::Result {
        const NAME: &str = "cpex_server_call_duration_seconds";
        let calls: u64 = self.ends.iter().map(|end| end.load(Ordering::Relaxed)).sum();
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(&self.buckets) {
            below += count.load(Ordering::Relaxed);
            writeln!(out, r#"{NAME}_bucket{{{labels},le="{bound}"}} {below}"#)?;
        }
        // Calls end while this is written.
        let calls = calls.max(below);
        let seconds = Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        writeln!(out, r#"{NAME}_bucket{{{labels},le="+Inf"}} {calls}"#)?;
        writeln!(out, "{NAME}_sum{{{labels}}} {seconds}")?;
        writeln!(out, "{NAME}_count{{{labels}}} {calls}")
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn labels(plugin: &str, hook: &str) -> String {
    format!(r#"plugin="{}",hook="{}""#, escaped(plugin), escaped(hook))
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}
