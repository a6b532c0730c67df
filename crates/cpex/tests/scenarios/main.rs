//! The table of scenarios, played over the tokio driver on a paused clock. What this driver cannot be told, and where
//! it differs on purpose, is in the table, with the reason.

mod extension_texts;
mod scripted;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cpex::config::{Condition, Config, Mode, OnError, PluginConfig};
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::plugin::BoxFuture;
use cpex::{
    BoxError, Context, Failure, Handlers, Hook, InvokeError, Json, Manager, Outcome, Payload, Plugin, Report,
};
use cpex_core::extensions::Enforcement;
use cpex_core::payload::Rule;
use cpex_core::{Phase, Slot};
use cpex_testkit::request::CALLER;
use cpex_testkit::scenarios::{self, Driver, Expected, Scenario};
use cpex_testkit::{Answer, Case, Does, Edit, Plugin as Script, Proposal, Unreadable, When};
use tokio::time::Instant;

use scripted::{CONVERSION, Journal, OUTAGE, Text, add_all, converts, original};

/// Can it be said in Rust?
fn can_be_said(case: &Case) -> bool {
    let empties = |edit: &Edit| matches!(edit, Edit::Empty(slot) if *slot != Slot::Custom);
    let says = |plugin: &Script| match plugin.does {
        Does::Answer(Answer { allow, violation, proposal, extensions, unreadable, .. }) => {
            allow == violation.is_none()
                && !matches!(proposal, Proposal::Subtype | Proposal::Foreign | Proposal::Incomparable)
                && unreadable != Some(Unreadable::State)
                && (unreadable.is_none() || allow)
                && !extensions.iter().flat_map(|writing| writing.0).flatten().any(|edit| empties(&edit))
        }
        Does::Fail | Does::Refuse | Does::Hang => true,
        Does::Interrupt => false,
    };
    case.copies.is_none() && case.plugins.iter().all(says)
}

fn entry(script: &Script) -> PluginConfig {
    let mode = match script.phase {
        Phase::Sequential => Mode::Sequential,
        Phase::Transform => Mode::Transform,
        Phase::Audit => Mode::Audit,
        Phase::Concurrent => Mode::Concurrent,
        Phase::FireAndForget => Mode::FireAndForget,
    };
    let on_error = match script.on_error {
        _ if script.disabled => OnError::Disable,
        cpex_core::OnError::Fail => OnError::Fail,
        cpex_core::OnError::Ignore => OnError::Ignore,
        cpex_core::OnError::Disable => OnError::Disable,
    };
    let capabilities = cpex::Capability::ALL.into_iter().filter(|one| script.capabilities.contains(*one));
    let entry = PluginConfig::new(script.name).mode(mode).on_error(on_error).priority(script.priority);
    let entry = entry.capabilities(capabilities);
    let entry =
        script.timeout_ms.into_iter().fold(entry, |entry, ms| entry.timeout(Duration::from_millis(ms)));
    script.when.iter().fold(entry, |entry, when| entry.when(condition(when)))
}

fn condition(when: &When) -> Condition {
    let list = |part: Option<&str>| part.map(str::to_owned).into_iter().collect();
    Condition {
        server_ids: list(when.server_id),
        tenant_ids: list(when.tenant_id),
        content_types: list(when.content_type),
        user_patterns: list(when.user_pattern),
        tools: list(when.tool),
        ..Condition::default()
    }
}

async fn manager(case: &Case, journal: &Journal) -> Manager {
    let tiers = match case.enforcement {
        Enforcement::Enforce => "enforce",
        Enforcement::Warn => "warn",
        Enforcement::Off => "\"off\"",
    };
    let config = format!("plugin_settings: {{extension_tiers: {tiers}}}");
    let builder = Manager::builder()
        .config(Config::parse(&config, "plugins.yaml").unwrap_or_else(|error| panic!("{error}")))
        .timeout(case.timeout_ms.map(Duration::from_millis))
        .pool(case.pool.map_or(0, std::num::NonZeroUsize::get));
    let builder = match case.rule {
        Rule::Open => builder,
        Rule::Closed => builder.deny_by_default(),
        Rule::Writable => builder.policy(&TOOL_PRE_INVOKE, ["args"]).policy(&CONVERSION, ["args"]),
    };
    let builder = if case.raise_denials { builder.denials_as_errors() } else { builder };
    add_all(builder, case, journal).start().await.unwrap_or_else(|error| panic!("{error}"))
}

fn context(case: &Case) -> Context {
    let asked = case.asked;
    let context = Context::new("1");
    let context = asked.server_id.into_iter().fold(context, Context::server);
    let context = asked.tenant_id.into_iter().fold(context, Context::tenant);
    let context = asked.content_type.into_iter().fold(context, Context::content_type);
    let context = asked.user.into_iter().fold(context, Context::user);
    for key in case.state {
        context.share(*key, CALLER);
    }
    let extensions = case.extensions.as_ref().map(extension_texts::of_table);
    extensions.into_iter().fold(context, Context::extensions)
}

/// What comes of a case. What an error does not tell, and a caller who gave up does not hear of, is as expected; so is
/// who was given a copy: a payload is lent, and nothing a plugin does reaches it.
async fn play<R: Payload + Text>(
    case: &Case,
    hook: &Hook<ToolPreInvoke, R>,
    expected: &Expected,
) -> Expected {
    let journal = Journal::default();
    let manager = manager(case, &journal).await;
    let context = context(case);
    drop(manager.invoke(&OUTAGE, &Json::default(), &context).await);
    let names = Names(case);
    let (began, call) = (Instant::now(), original());
    let invocation = manager.invoke(hook, &call, &context);
    let patience = Duration::from_millis(case.aborts_at_ms.unwrap_or(1_000_000));
    let ended = tokio::time::timeout(patience, invocation).await;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    // The background ends meanwhile.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let seen = journal.seen();
    let eligible = manager.eligible(hook, &call, &context).into_iter();
    let found = Expected {
        given: seen.given,
        shown: seen.shown,
        state: names.pairs(&context.shared()),
        disabled: eligible
            .filter(|one| one.skipped == Some("disabled"))
            .map(|one| names.of(&one.plugin))
            .collect(),
        took_ms,
        ..expected.clone()
    };
    manager.shutdown().await;
    match ended {
        Err(_) => Expected { ending: "raised: gave up".to_owned(), ..found },
        Ok(Ok(outcome)) => names.returned(outcome, found),
        Ok(Err(error)) => names.raised(&error, found),
    }
}

/// The names of a case, which outlive what is reported of them.
struct Names<'a>(&'a Case);

impl Names<'_> {
    fn of(&self, name: &str) -> &'static str {
        self.0.plugins.iter().map(|plugin| plugin.name).find(|known| *known == name).unwrap_or(CALLER)
    }

    /// Keys and writers, both of which the case knows.
    fn pairs(&self, map: &serde_json::Map<String, serde_json::Value>) -> Vec<(&'static str, &'static str)> {
        let plugins = || self.0.plugins.iter();
        let written = plugins().flat_map(|plugin| [plugin.writes_state, plugin.writes_metadata].concat());
        let keys: BTreeSet<_> = written.chain(self.0.state.iter().copied()).collect();
        assert!(map.keys().all(|key| keys.contains(key.as_str())), "{map:?}");
        let pair = |key: &'static str| Some((key, self.of(map.get(key)?.as_str()?)));
        keys.into_iter().filter_map(pair).collect()
    }

    fn returned<R: Payload + Text>(&self, outcome: Outcome<R>, found: Expected) -> Expected {
        let ending = match &outcome.violation {
            Some(violation) => format!("halted by {}: {}", violation.plugin, violation.reason),
            None => "completed".to_owned(),
        };
        Expected {
            ending,
            payload: outcome.payload.as_ref().map(|payload| payload.text()),
            extensions: outcome.extensions.as_ref().map(|extensions| extension_texts::text(extensions)),
            metadata: self.pairs(&outcome.metadata),
            retry_ms: i64::try_from(outcome.retry_after.as_millis()).unwrap_or(i64::MAX),
            ..self.reported(&outcome.report, found)
        }
    }

    fn raised(&self, error: &InvokeError, found: Expected) -> Expected {
        let (ending, report) = match error {
            InvokeError::Denied { violation, report } => {
                (format!("halted by {}: {}", violation.plugin, violation.reason), report)
            }
            InvokeError::Plugin { plugin, failure, report } => {
                (format!("raised by {plugin}: {}", why(failure)), report)
            }
            other => panic!("{other}"),
        };
        Expected { ending, ..self.reported(report, found) }
    }

    fn reported(&self, report: &Report, found: Expected) -> Expected {
        let changed = report.lines().filter(|line| line.payload_modified);
        let remarks = |line: cpex::report::Line<'_>| {
            let name = self.of(line.plugin);
            let skipped = matches!(line.outcome, "skipped" | "disabled").then_some(line.detail).flatten();
            let skipped = skipped.map(std::borrow::Cow::into_owned);
            let discarded = line.discarded.map(str::to_owned);
            let trimmed = line.trimmed_fields.into_iter().map(|field| format!("{field} is not writable"));
            let refused = line.refused_extensions.into_iter().map(|(slot, why)| format!("{slot}: {why}"));
            let all = skipped.into_iter().chain(discarded).chain(trimmed).chain(refused);
            all.map(|text| (name, text)).collect::<Vec<_>>()
        };
        Expected {
            fates: report.lines().map(|line| (self.of(line.plugin), line.outcome)).collect(),
            remarks: report.lines().flat_map(remarks).collect(),
            changed_by: changed.map(|line| self.of(line.plugin)).collect(),
            ..found
        }
    }
}

/// What a plugin's failure was, in the words of the table.
fn why(failure: &Failure) -> String {
    match failure {
        Failure::TimedOut(_) => "timeout".to_owned(),
        Failure::Refused(violation) => violation.reason.to_string(),
        other => match other.to_string() {
            text if text.starts_with("the hook returns ") => "unreadable".to_owned(),
            text if text.contains("violated monotonic tier") => "breach".to_owned(),
            text => text,
        },
    }
}

#[tokio::test(start_paused = true)]
async fn every_scenario_ends_as_the_semantics_say() {
    for scenario in scenarios::all() {
        let Some(expected) = scenario.expected_of(Driver::Tokio) else { continue };
        let Scenario { cites, says, case, .. } = &scenario;
        let found = match converts(case) {
            true => play(case, &CONVERSION, expected).await,
            false => play(case, &TOOL_PRE_INVOKE, expected).await,
        };
        assert_eq!(&found, expected, "{cites}: {says}");
    }
}

/// The table gives the reason for each that is not played; here it is seen that nothing else is left out.
#[test]
fn what_is_not_played_cannot_be_said() {
    for scenario in scenarios::all() {
        let is_played = scenario.expected_of(Driver::Tokio).is_some();
        assert_eq!(is_played, can_be_said(&scenario.case), "{}: {}", scenario.cites, scenario.says);
    }
}

/// A plugin whose methods are written by hand, as the trait lets one.
struct ByHand;

impl Plugin for ByHand {
    fn handlers(self: Arc<Self>, _: &mut Handlers) {}

    fn initialize(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async { Err("no".into()) })
    }
}

#[tokio::test]
async fn a_plugin_that_does_not_start_is_listed() {
    let manager = Manager::builder().plugin("by-hand", ByHand).start().await.unwrap();
    assert_eq!(manager.load_failures().await[0].error, "no");
}
