//! The built-in hooks, and what they carry. The JSON of each payload is that of the Python host's model.
//!
//! ```
//! use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
//!
//! let json = r#"{"name": "search", "args": {"query": "cpex"}, "headers": null}"#;
//! let call: ToolPreInvoke = serde_json::from_str(json)?;
//! assert_eq!(call.arg("query"), Some(&"cpex".into()));
//! assert_eq!(TOOL_PRE_INVOKE.name(), "tool_pre_invoke");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod agents;
mod http;
mod identity;
pub mod message;
mod prompts;
mod resources;
mod secret;
mod tools;

pub use agents::{AgentPostInvoke, AgentPreInvoke};
pub use http::{
    HttpAuthCheckPermission, HttpAuthResolveUser, HttpHeaders, HttpPostRequest, HttpPreRequest, Permission,
};
pub use identity::{Attenuation, DelegatedToken, Identity, IdentityResolve, TokenDelegate};
pub use message::MessagePayload;
pub use prompts::{PromptPostFetch, PromptPreFetch};
pub use resources::{ResourcePostFetch, ResourcePreFetch};
pub use secret::Secret;
use serde_json::{Map, Value};
pub use tools::{ToolPostInvoke, ToolPreInvoke};

use crate::hook::{Hook, HookType};
use crate::payload::Json;

macro_rules! hooks {
    ($($(#[$doc:meta])* $constant:ident: $payload:ty => $reply:ty = $name:literal;)*) => {
        $($(#[$doc])* pub const $constant: Hook<$payload, $reply> = Hook::new($name);)*

        /// Names each hook and its types.
        pub(crate) fn each(visit: &mut dyn FnMut(&str, HookType)) {
            $(visit($name, HookType::of::<$payload, $reply>());)*
        }
    };
}

hooks! {
    /// Before a tool is called.
    TOOL_PRE_INVOKE: ToolPreInvoke => ToolPreInvoke = "tool_pre_invoke";
    /// After a tool has returned.
    TOOL_POST_INVOKE: ToolPostInvoke => ToolPostInvoke = "tool_post_invoke";
    /// Before a prompt is rendered.
    PROMPT_PRE_FETCH: PromptPreFetch => PromptPreFetch = "prompt_pre_fetch";
    /// After a prompt was rendered.
    PROMPT_POST_FETCH: PromptPostFetch => PromptPostFetch = "prompt_post_fetch";
    /// Before a resource is read.
    RESOURCE_PRE_FETCH: ResourcePreFetch => ResourcePreFetch = "resource_pre_fetch";
    /// After a resource was read.
    RESOURCE_POST_FETCH: ResourcePostFetch => ResourcePostFetch = "resource_post_fetch";
    /// Before an agent is asked.
    AGENT_PRE_INVOKE: AgentPreInvoke => AgentPreInvoke = "agent_pre_invoke";
    /// After an agent has answered.
    AGENT_POST_INVOKE: AgentPostInvoke => AgentPostInvoke = "agent_post_invoke";
    /// Before an HTTP request is handled. Plugins return the headers to go on with.
    HTTP_PRE_REQUEST: HttpPreRequest => HttpHeaders = "http_pre_request";
    /// After an HTTP request was handled. Plugins return the headers to answer with.
    HTTP_POST_REQUEST: HttpPostRequest => HttpHeaders = "http_post_request";
    /// To find out whose credentials these are. Plugins return what is known about the user.
    HTTP_AUTH_RESOLVE_USER: HttpAuthResolveUser => Json = "http_auth_resolve_user";
    /// To decide on a permission.
    HTTP_AUTH_CHECK_PERMISSION: HttpAuthCheckPermission => Permission = "http_auth_check_permission";
    /// To find out whose token this is.
    IDENTITY_RESOLVE: IdentityResolve => Identity = "identity_resolve";
    /// To obtain a token to act for somebody.
    TOKEN_DELEGATE: TokenDelegate => DelegatedToken = "token_delegate";
    /// A message, wherever it stands.
    EVALUATE: MessagePayload => MessagePayload = "evaluate";
    /// A message that calls a tool.
    CMF_TOOL_PRE_INVOKE: MessagePayload => MessagePayload = "cmf.tool_pre_invoke";
    /// A message with what a tool returned.
    CMF_TOOL_POST_INVOKE: MessagePayload => MessagePayload = "cmf.tool_post_invoke";
    /// A message on its way to a model.
    CMF_LLM_INPUT: MessagePayload => MessagePayload = "cmf.llm_input";
    /// A message that a model made.
    CMF_LLM_OUTPUT: MessagePayload => MessagePayload = "cmf.llm_output";
    /// A message that asks for a resource.
    CMF_RESOURCE_PRE_FETCH: MessagePayload => MessagePayload = "cmf.resource_pre_fetch";
    /// A message with a resource.
    CMF_RESOURCE_POST_FETCH: MessagePayload => MessagePayload = "cmf.resource_post_fetch";
    /// A message that asks for a prompt.
    CMF_PROMPT_PRE_FETCH: MessagePayload => MessagePayload = "cmf.prompt_pre_fetch";
    /// A message with a rendered prompt.
    CMF_PROMPT_POST_FETCH: MessagePayload => MessagePayload = "cmf.prompt_post_fetch";
}

/// What an absent `args` stands for.
#[allow(clippy::unnecessary_wraps, reason = "the field is optional: null is not the same as absent")]
fn no_arguments() -> Option<Map<String, Value>> {
    Some(Map::new())
}
