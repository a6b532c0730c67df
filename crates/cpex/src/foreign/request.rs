//! What a foreign plugin is asked: payload and context as JSON text, written once.

use cpex_remote::{Call, Json};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::context::{PluginContext, Request, User};
use crate::error::BoxError;
use crate::extensions::{Extensions, NONE};
use crate::payload::AnyPayload;

/// A context, in the words of the Python host's model. What is not known is left out.
#[derive(Serialize)]
struct ContextText<'a> {
    state: &'a Map<String, Value>,
    global_context: GlobalText<'a>,
    metadata: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct GlobalText<'a> {
    request_id: &'a str,
    #[serde(skip_serializing_if = "is_unknown")]
    user: &'a User,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    state: &'a Map<String, Value>,
    metadata: &'a Map<String, Value>,
}

fn is_unknown(user: &&User) -> bool {
    matches!(user, User::Unknown)
}

/// A call of this hook of this plugin.
///
/// # Errors
/// If the payload has no JSON.
pub(super) fn call(
    hook: &str,
    plugin: &str,
    payload: &dyn AnyPayload,
    context: &PluginContext,
    extensions: &Extensions,
) -> Result<Call, BoxError> {
    let Request { id, user, tenant_id, server_id, content_type, metadata } = context.request();
    let text = ContextText {
        state: context.state(),
        global_context: GlobalText {
            request_id: id,
            user,
            tenant_id: tenant_id.as_deref(),
            server_id: server_id.as_deref(),
            content_type: content_type.as_deref(),
            state: context.shared(),
            metadata,
        },
        metadata: &context.remote_metadata(),
    };
    let extensions = if *extensions == NONE { None } else { Some(Json::of(extensions)?) };
    let call = Call::new(hook, plugin, payload.to_json_text()?, Json::of(&text)?);
    Ok(Call { extensions, patience: context.time_left(), ..call })
}
