//! What a plugin answered, and what there is to say of it, in the words of CPEX 0.1.x.

use std::collections::BTreeMap;

use cpex_remote::Json;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::request::Asked;
use crate::config::PluginConfig;
use crate::extensions::Extensions;
use crate::outcome::Outcome;
use crate::payload::AnyPayload;
use crate::violation::Violation;

#[derive(Default, Serialize)]
struct ResultText<'a> {
    continue_processing: bool,
    modified_payload: Option<Value>,
    modified_extensions: Option<&'a Extensions>,
    violation: Option<&'a Violation>,
    metadata: Option<&'a Map<String, Value>>,
    denial_metadata: Option<&'a Map<String, Value>>,
    http_headers: Option<&'a BTreeMap<String, String>>,
    retry_delay_ms: u64,
    executions: [(); 0],
}

/// The result of a call.
pub(super) fn result(outcome: &Outcome<dyn AnyPayload>) -> serde_json::Result<Json> {
    if let Some(violation) = &outcome.violation {
        return denial(violation, outcome.report.denial_metadata());
    }
    Json::of(&ResultText {
        continue_processing: true,
        modified_payload: outcome.payload.as_ref().map(|payload| payload.to_json()).transpose()?,
        modified_extensions: outcome.extensions.as_deref(),
        metadata: Some(&outcome.metadata),
        http_headers: Some(&outcome.http_headers).filter(|headers| !headers.is_empty()),
        retry_delay_ms: u64::try_from(outcome.retry_after.as_millis()).unwrap_or(u64::MAX),
        ..ResultText::default()
    })
}

/// A denial. Nothing else is said. W11, W14
pub(super) fn denial(violation: &Violation, metadata: &Map<String, Value>) -> serde_json::Result<Json> {
    let denial_metadata = Some(metadata).filter(|metadata| !metadata.is_empty());
    Json::of(&ResultText { violation: Some(violation), denial_metadata, ..ResultText::default() })
}

/// The context after a call; `None` if nothing is in it. W3
pub(super) fn context(asked: &Asked, state: &Map<String, Value>) -> serde_json::Result<Option<Json>> {
    #[derive(Serialize)]
    struct ContextText<'a> {
        state: &'a Map<String, Value>,
        metadata: &'a Map<String, Value>,
        global_context: Global<'a>,
    }
    #[derive(Serialize)]
    struct Global<'a> {
        #[serde(flatten)]
        request: &'a crate::context::Request,
        state: &'a Map<String, Value>,
    }
    let shared = asked.context.shared();
    if state.is_empty() && asked.metadata.is_empty() && shared.is_empty() {
        return Ok(None);
    }
    let global_context = Global { request: asked.context.request(), state: &shared };
    Json::of(&ContextText { state, metadata: &asked.metadata, global_context }).map(Some)
}

/// What hosts are told of a plugin. Its own settings are nobody else's.
pub(super) fn config(config: &PluginConfig, hooks: &[&str]) -> serde_json::Result<Json> {
    let capabilities = cpex_core::Capability::ALL.into_iter();
    let granted =
        capabilities.filter(|it| config.capabilities.contains(*it)).map(cpex_core::Capability::name);
    Json::of(&json!({
        "name": config.name,
        "kind": config.kind,
        "hooks": hooks,
        "mode": config.mode,
        "on_error": config.on_error,
        "priority": config.priority,
        "conditions": config.conditions,
        "capabilities": granted.collect::<Vec<_>>(),
    }))
}
