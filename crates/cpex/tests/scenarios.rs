//! The table of scenarios, played over the tokio driver on a paused clock. What Rust cannot express (a payload of
//! another class, an answer that cannot be read, an exception that nothing may swallow) is left out, and so are those
//! with extensions of the caller, whose slots are texts there and types here.

use std::sync::Arc;
use std::time::Duration;

use cpex::config::{Condition, Mode, OnError, PluginConfig};
use cpex::plugin::BoxFuture;
use cpex::{
    BoxError, Context, Failure, Handlers, Hook, InvokeError, Manager, Outcome, Payload, Plugin,
    PluginContext, Reply, Violation, plugin,
};
use cpex_core::payload::Rule;
use cpex_core::{Phase, Slot};
use cpex_testkit::extensions::Edit;
use cpex_testkit::scenarios::{self, Scenario};
use cpex_testkit::{Answer, Case, Does, Plugin as Script, Proposal};
use serde::{Deserialize, Serialize};

const HOOK: Hook<Body> = Hook::new("tool_pre_invoke_of_the_table");

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
struct Body {
    name: String,
    args: String,
}

struct Scripted(Script);

#[plugin]
impl Scripted {
    #[hook(HOOK)]
    async fn play(&self, given: &Body, context: &mut PluginContext) -> Result<Reply<Body>, BoxError> {
        let Script { name, takes_ms, does, writes_state, .. } = self.0;
        tokio::time::sleep(Duration::from_millis(takes_ms)).await;
        for key in writes_state {
            context.shared_mut().insert((*key).to_owned(), name.into());
        }
        match does {
            Does::Answer(answer) => Ok(self.answer(given, &answer)),
            Does::Fail => Err("failed".into()),
            Does::Refuse => Err(Violation::new("", "refused").into()),
            Does::Interrupt => unreachable!("left out"),
            Does::Hang => std::future::pending().await,
        }
    }
}

impl Scripted {
    fn answer(&self, given: &Body, answer: &Answer) -> Reply<Body> {
        let Script { name, writes_metadata, .. } = self.0;
        let (mut body, proposal) = (given.clone(), answer.proposal);
        if matches!(proposal, Proposal::Name | Proposal::NameAndArgs) {
            body.name += name;
        }
        if matches!(proposal, Proposal::Args | Proposal::NameAndArgs) {
            body.args += name;
        }
        let reply = match answer.violation {
            Some(why) if !answer.allow => Reply::deny(Violation::new("", why)),
            _ if proposal == Proposal::Nothing => Reply::allow(),
            _ => Reply::modify(body),
        };
        let reply = writes_metadata.iter().fold(reply, |reply, key| reply.metadata(*key, name));
        let reply = match answer.extensions.map(|writing| writing.0[0]) {
            Some(Some(Edit::Put(Slot::Custom, member))) => {
                let mut extensions = cpex::Extensions::default();
                extensions.custom.get_or_insert_default().insert(member.to_owned(), true.into());
                reply.extensions(extensions)
            }
            _ => reply,
        };
        reply.retry_after(Duration::from_millis(answer.retry_ms.try_into().unwrap_or(0)))
    }
}

/// Can it be said in Rust?
fn is_expressible(case: &Case) -> bool {
    let says = |plugin: &Script| match plugin.does {
        Does::Answer(answer) => {
            let denies_without_reason = !answer.allow && answer.violation.is_none();
            let denies_and_modifies = !answer.allow && answer.proposal != Proposal::Nothing;
            let allows_with_reason = answer.allow && answer.violation.is_some();
            let plain = matches!(
                answer.proposal,
                Proposal::Nothing | Proposal::Same | Proposal::Name | Proposal::Args | Proposal::NameAndArgs
            );
            let may_lose_it =
                matches!(plugin.phase, Phase::Sequential | Phase::Concurrent | Phase::FireAndForget);
            plain
                && answer.unreadable.is_none()
                && answer
                    .extensions
                    .is_none_or(|writing| matches!(writing.0, [Some(Edit::Put(Slot::Custom, _)), None, None]))
                && !denies_without_reason
                && !allows_with_reason
                && (!denies_and_modifies || may_lose_it)
        }
        Does::Fail | Does::Refuse | Does::Hang => true,
        Does::Interrupt => false,
    };
    let is_calm = case.aborts_at_ms.is_none() && case.copies.is_none() && case.extensions.is_none();
    is_calm && case.plugins.iter().all(says)
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
        cpex_core::OnError::Fail => OnError::Fail,
        cpex_core::OnError::Ignore => OnError::Ignore,
        cpex_core::OnError::Disable => OnError::Disable,
    };
    let entry = PluginConfig::new(script.name).mode(mode).on_error(on_error).priority(script.priority);
    let entry = match script.timeout_ms {
        Some(limit) => entry.timeout(Duration::from_millis(limit)),
        None => entry,
    };
    match script.tenant {
        Some(tenant) => entry.when(Condition { tenant_ids: vec![tenant.to_owned()], ..Condition::default() }),
        None => entry,
    }
}

async fn manager(case: &Case) -> Manager {
    let builder = Manager::builder()
        .timeout(case.timeout_ms.map(Duration::from_millis))
        .pool(case.pool.map_or(0, std::num::NonZeroUsize::get));
    let builder = match case.rule {
        Rule::Open => builder,
        Rule::Closed => builder.deny_by_default(),
        Rule::Writable => builder.policy(&HOOK, ["args"]),
    };
    let builder = if case.raise_denials { builder.denials_as_errors() } else { builder };
    let add = |builder: cpex::Builder, script: &Script| builder.plugin(entry(script), Scripted(*script));
    case.plugins.iter().fold(builder, add).start().await.unwrap_or_else(|error| panic!("{error}"))
}

/// Who had which end, in the order of the report.
fn fates(report: &cpex::Report) -> Vec<(String, String)> {
    report.lines().map(|line| (line.plugin.to_owned(), line.outcome.to_owned())).collect()
}

async fn play(Scenario { cites, says, case, expected }: Scenario) {
    let case_says = format!("{cites}: {says}");
    let manager = manager(&case).await;
    let context = case.tenant.iter().fold(Context::new("1"), |context, tenant| context.tenant(*tenant));
    let body = Body { name: "t".into(), args: String::new() };
    let (ending, outcome, report) = match manager.invoke(&HOOK, &body, &context).await {
        Ok(mut outcome) => {
            let report = std::mem::take(&mut outcome.report);
            let ending = match &outcome.violation {
                Some(violation) => format!("halted by {}: {}", violation.plugin, violation.reason),
                None => "completed".to_owned(),
            };
            (ending, Some(outcome), Box::new(report))
        }
        Err(InvokeError::Denied { violation, report }) => {
            (format!("halted by {}: {}", violation.plugin, violation.reason), None, report)
        }
        Err(InvokeError::Plugin { plugin, failure, report }) => {
            let why = match failure {
                Failure::TimedOut(_) => "timeout".to_owned(),
                Failure::Refused(violation) => violation.reason.to_string(),
                other => other.to_string(),
            };
            (format!("raised by {plugin}: {why}"), None, report)
        }
        Err(other) => (other.to_string(), None, Box::default()),
    };
    assert_eq!(ending, expected.ending, "{case_says}");
    let words: Vec<_> =
        expected.fates.iter().map(|(name, fate)| ((*name).to_owned(), fate.word().to_owned())).collect();
    assert_eq!(fates(&report), words, "{case_says}");
    let state: Vec<_> = context.shared().iter().map(|(key, writer)| (key.clone(), writer.clone())).collect();
    let expected_state: Vec<_> =
        expected.state.iter().map(|(key, writer)| ((*key).to_owned(), (*writer).into())).collect();
    assert_eq!(state, expected_state, "{case_says}");
    if let Some(outcome) = outcome {
        compare(&outcome, &expected, &case_says);
    }
    manager.shutdown().await;
}

fn compare(outcome: &Outcome<Body>, expected: &scenarios::Expected, says: &str) {
    let payload = outcome.payload.as_ref().map(|body| (body.name.clone(), body.args.clone()));
    assert_eq!(payload, expected.payload, "{says}");
    let metadata: Vec<_> =
        outcome.metadata.iter().map(|(key, writer)| (key.clone(), writer.clone())).collect();
    let expected_metadata: Vec<_> =
        expected.metadata.iter().map(|(key, writer)| ((*key).to_owned(), (*writer).into())).collect();
    assert_eq!(metadata, expected_metadata, "{says}");
    assert_eq!(
        outcome.retry_after,
        Duration::from_millis(expected.retry_ms.try_into().unwrap_or(0)),
        "{says}"
    );
    let custom = outcome.extensions.as_ref().and_then(|extensions| extensions.custom.as_ref());
    let members = custom.map(|custom| custom.keys().map(String::as_str).collect::<Vec<_>>().join(" "));
    assert_eq!(members.map(|members| format!("custom: {members}")), expected.extensions, "{says}");
}

#[tokio::test(start_paused = true)]
async fn every_scenario_that_rust_can_express_ends_as_the_semantics_say() {
    let is_played = |scenario: &Scenario| {
        is_expressible(&scenario.case) && scenario.case.plugins.iter().all(|plugin| !plugin.disabled)
    };
    let (played, left_out): (Vec<_>, Vec<_>) = scenarios::all().into_iter().partition(is_played);
    assert!(played.len() > left_out.len(), "{} of {}", played.len(), played.len() + left_out.len());
    for scenario in played {
        play(scenario).await;
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
