//! Plugins that do what a scenario says, and note what they were given.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{BoxError, Builder, Extensions, Hook, Json, Payload, PluginContext, Reply, Violation, plugin};
use cpex_testkit::{Answer, Case, Does, Plugin as Script, Proposal};
use serde::{Deserialize, Serialize};

use super::entry;
use super::extension_texts::{edit, text as extensions_text};

/// A hook at which those fail that are out of service when the scenario begins.
pub(crate) const OUTAGE: Hook<Json> = Hook::new("outage");

/// A hook that returns something else than it carries.
pub(crate) const CONVERSION: Hook<ToolPreInvoke, Other> = Hook::new("conversion");

/// What that hook returns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub(crate) struct Other {
    call: ToolPreInvoke,
}

/// Who was started, with which payload, and what each was shown of the extensions.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Seen>>);

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) given: Vec<(&'static str, String)>,
    pub(crate) shown: Vec<(&'static str, String)>,
}

impl Journal {
    pub(crate) fn seen(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, name: &'static str, given: String, shown: String) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.given.push((name, given));
        if !shown.is_empty() {
            seen.shown.push((name, shown));
        }
    }
}

/// Does what its script says.
struct Scripted {
    script: Script,
    journal: Journal,
}

/// Takes no extensions.
struct Blind(Scripted);

/// Returns a payload of a type that the hook does not return.
struct Unreadable(Scripted);

/// Returns what its hook returns, which is not what that carries.
struct Converts(Scripted);

#[plugin]
impl Scripted {
    #[hook(TOOL_PRE_INVOKE)]
    async fn call(
        &self,
        given: &ToolPreInvoke,
        context: &mut PluginContext,
        shown: &Extensions,
    ) -> Result<Reply<ToolPreInvoke>, BoxError> {
        let answer = self.play(given, context, shown).await?;
        Ok(self.reply(&answer, self.propose(given, answer.proposal), shown))
    }

    #[hook(OUTAGE)]
    async fn fail(&self, _: &Json) -> Result<(), BoxError> {
        if self.script.disabled { Err("failed".into()) } else { Ok(()) }
    }
}

#[plugin]
impl Blind {
    #[hook(TOOL_PRE_INVOKE)]
    async fn call(
        &self,
        given: &ToolPreInvoke,
        context: &mut PluginContext,
    ) -> Result<Reply<ToolPreInvoke>, BoxError> {
        let Self(scripted) = self;
        let nothing = Extensions::default();
        let answer = scripted.play(given, context, &nothing).await?;
        Ok(scripted.reply(&answer, scripted.propose(given, answer.proposal), &nothing))
    }
}

#[plugin]
impl Unreadable {
    #[hook("tool_pre_invoke")]
    async fn call(
        &self,
        given: &ToolPreInvoke,
        context: &mut PluginContext,
        shown: &Extensions,
    ) -> Result<Reply<Other>, BoxError> {
        let Self(scripted) = self;
        let answer = scripted.play(given, context, shown).await?;
        Ok(scripted.reply(&answer, Some(Other { call: given.clone() }), shown))
    }
}

#[plugin]
impl Converts {
    #[hook(CONVERSION)]
    async fn call(
        &self,
        given: &ToolPreInvoke,
        context: &mut PluginContext,
        shown: &Extensions,
    ) -> Result<Reply<Other>, BoxError> {
        let Self(scripted) = self;
        let answer = scripted.play(given, context, shown).await?;
        let other = (answer.proposal == Proposal::Other).then(|| Other { call: given.clone() });
        Ok(scripted.reply(&answer, other, shown))
    }
}

impl Scripted {
    /// Does all it does before it answers.
    async fn play(
        &self,
        given: &ToolPreInvoke,
        context: &mut PluginContext,
        shown: &Extensions,
    ) -> Result<Answer, BoxError> {
        let Script { name, takes_ms, does, writes_state, drops_state, .. } = self.script;
        self.journal.note(name, text(given), extensions_text(shown));
        // What it has seen of the state is old by the time it writes: nothing of that may come back.
        let _ = context.shared();
        tokio::time::sleep(Duration::from_millis(takes_ms)).await;
        for key in writes_state {
            context.shared_mut().insert((*key).to_owned(), name.into());
        }
        for key in drops_state {
            context.shared_mut().remove(*key);
        }
        match does {
            Does::Answer(answer) => Ok(answer),
            Does::Fail => Err("failed".into()),
            Does::Refuse => Err(Violation::new("", "refused").into()),
            Does::Interrupt => unreachable!("not said in Rust"),
            Does::Hang => std::future::pending().await,
        }
    }

    fn propose(&self, given: &ToolPreInvoke, proposal: Proposal) -> Option<ToolPreInvoke> {
        let (name, mut call) = (self.script.name, given.clone());
        if matches!(proposal, Proposal::Name | Proposal::NameAndArgs) {
            call.name += name;
        }
        if matches!(proposal, Proposal::Args | Proposal::NameAndArgs) {
            call = call.clone().with("by", by(given).to_owned() + name);
        }
        (proposal != Proposal::Nothing).then_some(call)
    }

    fn reply<P>(&self, answer: &Answer, proposed: Option<P>, shown: &Extensions) -> Reply<P> {
        let Script { name, writes_metadata, .. } = self.script;
        let reply = match (answer.violation, proposed) {
            (Some(why), _) => Reply::deny(Violation::new("", why)),
            (None, Some(payload)) => Reply::modify(payload),
            (None, None) => Reply::allow(),
        };
        let reply = writes_metadata.iter().fold(reply, |reply, key| reply.metadata(*key, name));
        let reply = match answer.extensions {
            Some(writing) => reply.extensions(edit(shown, writing)),
            None => reply,
        };
        reply.retry_after(Duration::from_millis(answer.retry_ms.try_into().unwrap_or(0)))
    }
}

/// Is it a case of the hook that returns something else?
pub(crate) fn converts(case: &Case) -> bool {
    case.plugins.iter().any(|plugin| plugin.answer().proposal == Proposal::Other)
}

/// A manager's plugins, from their scripts.
pub(crate) fn add_all(builder: Builder, case: &Case, journal: &Journal) -> Builder {
    let converts = converts(case);
    case.plugins.iter().fold(builder, |builder, script| {
        let (entry, scripted) = (entry(script), Scripted { script: *script, journal: journal.clone() });
        match script.answer() {
            _ if converts => builder.plugin(entry, Converts(scripted)),
            Answer { unreadable: Some(_), .. } => builder.plugin(entry, Unreadable(scripted)),
            _ if script.blind => builder.plugin(entry, Blind(scripted)),
            _ => builder.plugin(entry, scripted),
        }
    })
}

/// The payload of the caller.
pub(crate) fn original() -> ToolPreInvoke {
    ToolPreInvoke::new("t")
}

/// A payload as the table writes it.
pub(crate) trait Text {
    fn text(&self) -> String;
}

impl Text for ToolPreInvoke {
    fn text(&self) -> String {
        text(self)
    }
}

impl Text for Other {
    fn text(&self) -> String {
        format!("other {}", text(&self.call))
    }
}

fn text(call: &ToolPreInvoke) -> String {
    let by = by(call);
    format!("{}{}{by}", call.name, if by.is_empty() { "" } else { "/" })
}

fn by(call: &ToolPreInvoke) -> &str {
    call.arg("by").and_then(serde_json::Value::as_str).unwrap_or_default()
}
