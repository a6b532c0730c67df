//! What a foreign plugin answers, in this host's words. A denial is never lost, and nothing broken is read as an allow.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cpex_remote::{Json, Outcome, Reply as Answered};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::RemoteFailure;
use crate::config::expected;
use crate::context::PluginContext;
use crate::error::BoxError;
use crate::hook::HookType;
use crate::payload::AnyPayload;
use crate::plugin::AnyReply;
use crate::reply::{Decision, Reply};
use crate::violation::Violation;

/// What an empty state in an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    /// That it is empty.
    IsTold,
    /// Perhaps that nothing was said: the wire does not tell the two apart.
    #[cfg(feature = "external")]
    IsNotTold,
}

/// The reply of a plugin at a hook of these types. What it left in the context is written into that.
///
/// # Errors
/// The plugin's own failure, or what is wrong with the answer.
pub(super) fn read(
    answered: Answered,
    hook: &HookType,
    context: &mut PluginContext,
    absent: Absent,
) -> Result<AnyReply, BoxError> {
    let result = match answered.outcome {
        Outcome::Error(error) => return Err(RemoteFailure::from(error).into()),
        Outcome::Result(result) => result,
    };
    let mut fields: Map<String, Value> = serde_json::from_str(result.as_str()).map_err(broken)?;
    let mut reply = decision(&mut fields, hook)?;
    if let Some(Value::Object(metadata)) = fields.remove("metadata") {
        reply.more.get_or_insert_default().metadata = metadata;
    }
    if let Some(headers) = fields.get("http_headers").and_then(Value::as_object) {
        reply.more.get_or_insert_default().http_headers = texts(headers);
    }
    if let Some(Value::Object(metadata)) = fields.remove("denial_metadata") {
        reply.more.get_or_insert_default().denial_metadata = metadata;
    }
    if let Some(extensions) = fields.remove("modified_extensions").filter(|written| !written.is_null()) {
        match serde_json::from_value(extensions) {
            Ok(extensions) => reply = reply.extensions(extensions),
            // A denial drops them anyway.
            Err(_) if matches!(reply.decision, Decision::Deny(_)) => {}
            Err(error) => {
                return Err(format!("its modified_extensions are none: {}", expected(&error)).into());
            }
        }
    }
    if let Some(wait) = fields.get("retry_delay_ms").and_then(Value::as_u64).filter(|wait| *wait > 0) {
        reply = reply.retry_after(Duration::from_millis(wait));
    }
    let left = answered.context.map_or(Ok(()), |left| write_back(&left, context, absent));
    match reply.decision {
        Decision::Deny(_) => Ok(reply),
        Decision::Allow | Decision::Modify(_) => left.map(|()| reply),
    }
}

fn decision(fields: &mut Map<String, Value>, hook: &HookType) -> Result<AnyReply, BoxError> {
    match fields.get("continue_processing") {
        Some(Value::Bool(false)) => Ok(Reply::deny(violation(fields.remove("violation")))),
        Some(Value::Bool(true)) => match fields.remove("modified_payload") {
            None | Some(Value::Null) => Ok(Reply::allow()),
            Some(proposed) => payload(proposed, hook).map(Reply::modify),
        },
        _ => {
            Err("its result does not say whether to go on: `continue_processing` must be true or false"
                .into())
        }
    }
}

fn payload(proposed: Value, hook: &HookType) -> Result<Arc<dyn AnyPayload>, BoxError> {
    (hook.read_reply)(proposed).map_err(|error| {
        let (path, what) = (error.path().to_string(), expected(error.inner()));
        let at = if path == "." { String::new() } else { format!(".{path}") };
        format!("its payload is none of this hook: modified_payload{at}: {what}").into()
    })
}

/// A violation, of which whatever cannot be read is left out.
fn violation(sent: Option<Value>) -> Violation {
    let Some(Value::Object(mut sent)) = sent else { return Violation::default() };
    let mut text = |name| match sent.remove(name) {
        Some(Value::String(text)) => Cow::Owned(text),
        _ => Cow::Borrowed(""),
    };
    let (reason, description, code) = (text("reason"), text("description"), text("code"));
    let number = |name| sent.get(name).and_then(Value::as_i64);
    let headers = sent.get("http_headers").and_then(Value::as_object);
    Violation {
        mcp_error_code: number("mcp_error_code").and_then(|code| code.try_into().ok()),
        http_status_code: number("http_status_code").and_then(|code| code.try_into().ok()),
        http_headers: headers.map(|headers| Box::new(texts(headers))),
        details: match sent.remove("details") {
            Some(Value::Object(details)) => Box::new(details),
            _ => Box::default(),
        },
        ..Violation::new(code, reason).description(description)
    }
}

/// Those that are texts.
fn texts(headers: &Map<String, Value>) -> BTreeMap<String, String> {
    headers.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// Takes over what the plugin left: its own state and metadata, and what plugins share.
fn write_back(left: &Json, context: &mut PluginContext, absent: Absent) -> Result<(), BoxError> {
    #[derive(Deserialize)]
    struct Left {
        state: Option<Map<String, Value>>,
        metadata: Option<Map<String, Value>>,
        global_context: Option<Global>,
    }
    #[derive(Deserialize)]
    struct Global {
        state: Option<Map<String, Value>>,
    }
    let Left { state, metadata, global_context } = serde_json::from_str(left.as_str()).map_err(broken)?;
    let (state, metadata) = (state.unwrap_or_default(), metadata.unwrap_or_default());
    if *context.state() != state {
        *context.state_mut() = state;
    }
    context.keep_remote_metadata(metadata);
    let shared = global_context.and_then(|global| global.state);
    let shared = shared.filter(|shared| absent == Absent::IsTold || !shared.is_empty());
    if let Some(shared) = shared.filter(|shared| context.shared() != shared) {
        *context.shared_mut() = shared;
    }
    Ok(())
}

fn broken(error: serde_json::Error) -> BoxError {
    format!("its answer cannot be read: {}", expected(&error)).into()
}
