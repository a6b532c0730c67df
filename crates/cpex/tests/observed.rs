//! What is told: spans and events through `tracing`, counters and histograms through `metrics`, and never a secret.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpex::config::{Config, Mode, OnError, PluginConfig};
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{Builder, Context, Extensions, Manager, PluginContext, Reply, Violation, plugin};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context as Layered, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// A span that has ended, or an event: its fields by name; what it is called, or says, is its `message`.
type Told = BTreeMap<String, String>;

#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<Told>>>);

struct Fields<'a>(&'a mut Told);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Capture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, layered: Layered<'_, S>) {
        let mut told = Told::from([("message".to_owned(), attributes.metadata().name().to_owned())]);
        attributes.record(&mut Fields(&mut told));
        layered.span(id).unwrap().extensions_mut().insert(told);
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, layered: Layered<'_, S>) {
        let span = layered.span(id).unwrap();
        record.record(&mut Fields(span.extensions_mut().get_mut().unwrap()));
    }

    fn on_close(&self, id: Id, layered: Layered<'_, S>) {
        let told = layered.span(&id).unwrap().extensions_mut().remove().unwrap();
        self.push(told);
    }

    fn on_event(&self, event: &Event<'_>, _: Layered<'_, S>) {
        let mut told = Told::from([("level".to_owned(), event.metadata().level().to_string())]);
        event.record(&mut Fields(&mut told));
        self.push(told);
    }
}

impl Capture {
    fn push(&self, told: Told) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    fn told(&self) -> Vec<Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was told that says this, and what these fields of it say.
    fn that(&self, message: &str, fields: &[&str]) -> Vec<String> {
        let told = self.told().into_iter().filter(|told| told["message"].starts_with(message));
        let shown = |told: Told| {
            fields.iter().map(|field| told.get(*field).map_or("-", |it| it)).collect::<Vec<_>>().join(" ")
        };
        told.map(shown).collect()
    }
}

const SECRET: &str = "s3cr3t";

fn entry(name: &str, mode: Mode) -> PluginConfig {
    PluginConfig::new(name).mode(mode).on_error(OnError::Ignore).setting("token", SECRET)
}

/// One plugin for each thing that can be told.
fn all() -> Builder {
    let denies = |_: &ToolPreInvoke, _: &mut PluginContext| {
        Reply::<ToolPreInvoke>::deny(
            Violation::new("NO", "not here").detail("why", SECRET).description(SECRET),
        )
    };
    let fails = |_: &ToolPreInvoke, _: &mut PluginContext| -> Result<(), &str> { Err("broken") };
    let renames = |call: &ToolPreInvoke, _: &mut PluginContext| {
        Reply::modify(ToolPreInvoke { name: format!("{}{SECRET}", call.name), ..call.clone() })
    };
    let hangs = |_: &ToolPreInvoke, _: &mut PluginContext| std::future::pending::<()>();
    Manager::builder()
        .timeout(Duration::from_millis(5))
        .policy(&TOOL_PRE_INVOKE, ["args"])
        .on(&TOOL_PRE_INVOKE, entry("renames", Mode::Sequential), renames)
        .on(&TOOL_PRE_INVOKE, entry("fails", Mode::Sequential), fails)
        .on_async(&TOOL_PRE_INVOKE, entry("hangs", Mode::Sequential), hangs)
        .plugin(entry("labels", Mode::Sequential), Labels)
        .on(&TOOL_PRE_INVOKE, entry("observes", Mode::Audit), renames)
        .on(&TOOL_PRE_INVOKE, entry("cannot", Mode::Transform), denies)
        .on(&TOOL_PRE_INVOKE, entry("off", Mode::Sequential).on_error(OnError::Disable), fails)
        .on(&TOOL_PRE_INVOKE, entry("behind", Mode::FireAndForget), denies)
        .on(&TOOL_PRE_INVOKE, entry("denies", Mode::Concurrent), denies)
}

struct Labels;

#[plugin]
impl Labels {
    #[hook(TOOL_PRE_INVOKE)]
    async fn label(
        &self,
        _: &ToolPreInvoke,
        _: &mut PluginContext,
        shown: &Extensions,
    ) -> Reply<ToolPreInvoke> {
        let mut written = shown.clone();
        written.security.get_or_insert_default().labels.insert(SECRET.to_owned());
        Reply::allow().extensions(written)
    }
}

/// Invokes the hook once and ends.
async fn run(builder: Builder) {
    let manager = builder.start().await.unwrap();
    let call =
        ToolPreInvoke { args: json!({"password": SECRET}).as_object().cloned(), ..ToolPreInvoke::new("t") };
    let context = Context::new("1").user("alice").metadata("key", SECRET);
    let outcome = manager.invoke(&TOOL_PRE_INVOKE, &call, &context).await.unwrap();
    assert!(!outcome.is_allowed());
    manager.shutdown().await;
}

async fn observed(builder: Builder) -> Capture {
    let capture = Capture::default();
    let _guard = tracing::subscriber::set_default(Registry::default().with(capture.clone()));
    run(builder).await;
    capture
}

#[tokio::test(start_paused = true)]
async fn spans_say_who_ran_where_and_what_came_of_it() {
    let capture = observed(all()).await;
    assert_eq!(capture.that("cpex.hook", &["hook", "plugins", "decision"]), ["tool_pre_invoke 9 denied"]);
    let expected = [
        "tool_pre_invoke renames sequential modified",
        "tool_pre_invoke fails sequential failed",
        "tool_pre_invoke hangs sequential timed_out",
        "tool_pre_invoke labels sequential allowed",
        "tool_pre_invoke off sequential failed",
        "tool_pre_invoke cannot transform denied",
        "tool_pre_invoke observes audit modified",
        "tool_pre_invoke denies concurrent denied",
        "tool_pre_invoke behind fire_and_forget denied",
    ];
    assert_eq!(capture.that("cpex.plugin", &["hook", "plugin", "mode", "decision"]), expected);
    let lasted = |seconds: &String| seconds.parse::<f64>().is_ok_and(|seconds| (0.0..1.0).contains(&seconds));
    assert!(capture.that("cpex.", &["duration_seconds"]).iter().all(lasted));
}

#[tokio::test(start_paused = true)]
async fn decisions_and_failures_are_told_in_the_words_of_the_report() {
    let capture = observed(all()).await;
    let that = |message| capture.that(message, &["level", "hook", "plugin", "mode", "outcome"]);
    let goes_on =
        ["ERROR tool_pre_invoke fails sequential failed", "ERROR tool_pre_invoke hangs sequential timed_out"];
    assert_eq!(that("failed: the pipeline continues"), goes_on);
    assert_eq!(that("failed: it is disabled from now on"), ["ERROR tool_pre_invoke off sequential failed"]);
    let suppressed = [
        "WARN tool_pre_invoke cannot transform suppressed",
        "WARN tool_pre_invoke behind fire_and_forget suppressed",
    ];
    assert_eq!(that("denied where it cannot block"), suppressed);
    assert_eq!(that("denied: the pipeline is halted"), ["WARN tool_pre_invoke denies concurrent denied"]);
    assert_eq!(capture.that("denied: ", &["code", "reason"]), ["NO not here"]);
    assert_eq!(capture.that("trimmed", &["level", "plugin", "fields"]), ["WARN renames [\"name\"]"]);
    assert_eq!(capture.that("discarded", &["level", "plugin"]), ["DEBUG renames", "DEBUG observes"]);
    let labels = capture.that("changed extensions", &["level", "plugin", "slot", "why"]);
    assert_eq!(labels, ["WARN labels security.labels plugin lacks 'append_labels' capability"]);
    assert_eq!(capture.that("loaded", &["level"]).len(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_cannot_be_loaded_is_told_with_its_place() {
    let yaml = format!(
        "plugins:\n  - {{name: a, kind: no.Such, config: {{token: {SECRET}}}, on_missing: deny, hooks: [tool_pre_invoke]}}"
    );
    let capture = observed(all().config(Config::parse(&yaml, "plugins.yaml").unwrap())).await;
    let told = capture.that("cannot be loaded", &["level", "plugin", "phase", "place"]);
    assert_eq!(told, ["ERROR a find plugins.yaml:2:21"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_told_shows_a_secret() {
    for told in observed(all()).await.told() {
        assert!(told.values().all(|value| !value.contains(SECRET)), "{told:?}");
    }
}

#[test]
fn what_is_counted_and_measured() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let missing = Config::parse("plugins: [{name: a, kind: no.Such}]", "plugins.yaml").unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(run(all().config(missing))));
    let page = recorder.handle().render();
    for line in [
        "# TYPE cpex_invocations_total counter",
        "cpex_invocations_total{hook=\"tool_pre_invoke\",decision=\"denied\"} 1",
        "cpex_invocation_duration_seconds_count{hook=\"tool_pre_invoke\"} 1",
        "cpex_plugin_calls_total{hook=\"tool_pre_invoke\",plugin=\"renames\",outcome=\"ran\"} 1",
        "cpex_plugin_calls_total{hook=\"tool_pre_invoke\",plugin=\"fails\",outcome=\"failed\"} 1",
        "cpex_plugin_calls_total{hook=\"tool_pre_invoke\",plugin=\"hangs\",outcome=\"timed_out\"} 1",
        "cpex_plugin_calls_total{hook=\"tool_pre_invoke\",plugin=\"cannot\",outcome=\"suppressed\"} 1",
        "cpex_plugin_calls_total{hook=\"tool_pre_invoke\",plugin=\"denies\",outcome=\"denied\"} 1",
        "cpex_plugin_calls_total{hook=\"tool_pre_invoke\",plugin=\"behind\",outcome=\"detached\"} 1",
        "cpex_background_calls_total{hook=\"tool_pre_invoke\",plugin=\"behind\",outcome=\"suppressed\"} 1",
        "cpex_plugin_duration_seconds_count{hook=\"tool_pre_invoke\",plugin=\"hangs\"} 1",
        "cpex_load_failures_total{plugin=\"a\",phase=\"find\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} is not in\n{page}");
    }
    assert!(!page.contains(SECRET));
}
