//! What the tools are asked and what they answer, as texts.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::jsonrpc::{on_one_line, quoted, version};
use crate::json::Json;
use crate::message::{Call, INTERNAL, Outcome, PluginError, Reply};
use crate::wire::{FEATURES, Features, InvalidReply, Unreadable};

/// The tools' names.
pub(super) const CONFIGS: &str = "get_plugin_configs";
pub(super) const CONFIG: &str = "get_plugin_config";
pub(super) const INVOKE: &str = "invoke_hook";

/// All that is said of the tools.
pub(super) const TOOLS: &str = concat!(
    r#"{"tools":[{"name":"get_plugin_configs","description":"The configurations of all plugins.","#,
    r#""inputSchema":{"type":"object","properties":{}},"outputSchema":{"type":"object","properties":{"result":"#,
    r#"{"type":"array","items":{"type":"object","additionalProperties":true}}},"required":["result"]}},"#,
    r#"{"name":"get_plugin_config","description":"The configuration of a plugin; empty if there is none of this name.","#,
    r#""inputSchema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}},"#,
    r#"{"name":"invoke_hook","description":"Runs a hook of a plugin.","inputSchema":{"type":"object","properties":"#,
    r#"{"hook_type":{"type":"string"},"plugin_name":{"type":"string"},"#,
    r#""payload":{"type":"object","additionalProperties":true},"context":{"type":"object","additionalProperties":true}},"#,
    r#""required":["hook_type","plugin_name","payload","context"]}}]}"#,
);

/// Under `experimental`, where MCP lets servers announce what it does not know: the name of what is ours.
const OURS: &str = "cpex";

/// The capability that tells a peer of ours what this server understands beyond CPEX 0.1.x. Any other peer knows none of
/// this name, and leaves it alone.
pub(super) fn announcement() -> String {
    let features = FEATURES.map(quoted).join(",");
    format!(r#""experimental":{{"{OURS}":{{"features":[{features}]}}}}"#)
}

/// What a server is, as its answer to `initialize` says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Greeting {
    /// The version of MCP that it has chosen.
    pub(super) version: &'static str,
    pub(super) features: Features,
}

impl Greeting {
    /// `None` if it speaks no version of MCP that is known here.
    pub(super) fn read(result: &RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Initialized<'r> {
            protocol_version: String,
            #[serde(borrow)]
            capabilities: Option<&'r RawValue>,
        }
        let initialized: Initialized<'_> = serde_json::from_str(result.get()).ok()?;
        Some(Self {
            version: version(&initialized.protocol_version)?,
            features: initialized.capabilities.map(announced).unwrap_or_default(),
        })
    }
}

/// What the capabilities of a server say that it understands. What cannot be read announces nothing.
fn announced(capabilities: &RawValue) -> Features {
    #[derive(Deserialize)]
    struct Capabilities {
        experimental: Experimental,
    }
    #[derive(Deserialize)]
    struct Experimental {
        cpex: Announced,
    }
    #[derive(Deserialize)]
    struct Announced {
        features: Vec<String>,
    }
    let read = serde_json::from_str(capabilities.get());
    let features = read.map_or_else(|_| Vec::new(), |read: Capabilities| read.experimental.cpex.features);
    Features::announced(features.iter().map(String::as_str))
}

/// The parameters of `tools/call`.
#[derive(Deserialize)]
pub(super) struct ToolCall<'p> {
    pub(super) name: String,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'p RawValue>,
}

/// An argument is missing or wrong: which, and what would be right.
pub(super) struct WrongArgument(&'static str, &'static str);

impl WrongArgument {
    /// What the tool says of it.
    pub(super) fn message(&self, tool: &str) -> String {
        let Self(field, wanted) = self;
        format!("Error executing tool {tool}: {field}: {wanted} is required")
    }
}

/// The argument of `get_plugin_config`.
pub(super) fn read_name(arguments: Option<&RawValue>) -> Result<String, WrongArgument> {
    #[derive(Default, Deserialize)]
    struct Arguments<'a> {
        #[serde(borrow)]
        name: Option<&'a RawValue>,
    }
    string("name", object::<Arguments<'_>>(arguments)?.name)
}

/// The arguments of `invoke_hook`.
pub(super) fn read_call(arguments: Option<&RawValue>) -> Result<Call, WrongArgument> {
    #[derive(Default, Deserialize)]
    struct Arguments<'a> {
        #[serde(borrow)]
        hook_type: Option<&'a RawValue>,
        #[serde(borrow)]
        plugin_name: Option<&'a RawValue>,
        #[serde(borrow)]
        payload: Option<&'a RawValue>,
        #[serde(borrow)]
        context: Option<&'a RawValue>,
        #[serde(borrow)]
        extensions: Option<&'a RawValue>,
    }
    let arguments = object::<Arguments<'_>>(arguments)?;
    let dynamic = |field, raw: Option<&RawValue>| {
        raw.map(Json::from).filter(Json::is_object).ok_or(WrongArgument(field, "an object"))
    };
    Ok(Call {
        hook: string("hook_type", arguments.hook_type)?,
        plugin: string("plugin_name", arguments.plugin_name)?,
        payload: dynamic("payload", arguments.payload)?,
        context: dynamic("context", arguments.context)?,
        extensions: match arguments.extensions {
            None => None,
            extensions => Some(dynamic("extensions", extensions)?),
        },
        patience: None,
    })
}

fn object<'a, T: Default + Deserialize<'a>>(arguments: Option<&'a RawValue>) -> Result<T, WrongArgument> {
    let Some(arguments) = arguments else { return Ok(T::default()) };
    let wrong = WrongArgument("arguments", "an object that names each argument once");
    // An array would be taken for the arguments in order.
    if !arguments.get().starts_with('{') {
        return Err(wrong);
    }
    serde_json::from_str(arguments.get()).map_err(|_| wrong)
}

fn string(field: &'static str, raw: Option<&RawValue>) -> Result<String, WrongArgument> {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).ok_or(WrongArgument(field, "a string"))
}

/// The parameters that run a hook of a server that understands this.
pub(super) fn call_params(call: &Call, server: Features) -> String {
    let extensions = call.extensions.as_ref().filter(|_| server.extensions);
    let extensions = extensions
        .map(|extensions| format!(r#","extensions":{}"#, on_one_line(extensions.as_str())))
        .unwrap_or_default();
    let (hook, plugin) = (quoted(&call.hook), quoted(&call.plugin));
    let (payload, context) = (on_one_line(call.payload.as_str()), on_one_line(call.context.as_str()));
    format!(
        r#"{{"name":"{INVOKE}","arguments":{{"hook_type":{hook},"plugin_name":{plugin},"payload":{payload},"context":{context}{extensions}}}}}"#
    )
}

/// The parameters that ask for a configuration.
pub(super) fn config_params(name: &str) -> String {
    format!(r#"{{"name":"{CONFIG}","arguments":{{"name":{}}}}}"#, quoted(name))
}

/// The result of a tool that has these texts to say.
pub(super) fn tool_result<'t>(
    texts: impl IntoIterator<Item = &'t str>,
    structured: &str,
    is_error: bool,
) -> String {
    let parts: Vec<_> =
        texts.into_iter().map(|text| format!(r#"{{"type":"text","text":{}}}"#, quoted(text))).collect();
    let content = parts.join(",");
    format!(r#"{{"content":[{content}]{structured},"isError":{is_error}}}"#)
}

/// What a tool said: its first text, and whether it failed.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) is_error: bool,
}

impl Said {
    /// `None` if there is no text.
    pub(super) fn read(result: &RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Result {
            content: Vec<Part>,
            #[serde(default)]
            is_error: Option<bool>,
        }
        #[derive(Deserialize)]
        struct Part {
            r#type: String,
            #[serde(default)]
            text: Option<String>,
        }
        let result: Result = serde_json::from_str(result.get()).ok()?;
        let text =
            result.content.into_iter().filter(|part| part.r#type == "text").find_map(|part| part.text)?;
        Some(Self { text, is_error: result.is_error.unwrap_or(false) })
    }
}

/// A reply as the text that `invoke_hook` answers.
pub(super) fn write_reply(reply: &Reply) -> String {
    let plugin = quoted(&reply.plugin);
    match &reply.outcome {
        Outcome::Result(result) => {
            let result = result.as_str();
            match &reply.context {
                Some(context) => {
                    let context = context.as_str();
                    format!(r#"{{"plugin_name":{plugin},"result":{result},"context":{context}}}"#)
                }
                None => format!(r#"{{"plugin_name":{plugin},"result":{result}}}"#),
            }
        }
        Outcome::Error(error) => {
            let (message, named, code) = (quoted(&error.message), quoted(&error.plugin), quoted(&error.code));
            let (details, mcp) = (error.details.as_str(), error.mcp_error_code);
            format!(
                r#"{{"plugin_name":{plugin},"error":{{"message":{message},"plugin_name":{named},"code":{code},"details":{details},"mcp_error_code":{mcp}}}}}"#
            )
        }
    }
}

/// The reply of `plugin`.
///
/// # Errors
/// If it is of another plugin, has neither result nor error, or a part is not an object.
pub(super) fn read_reply(text: &str, plugin: &str) -> Result<Reply, InvalidReply> {
    #[derive(Deserialize)]
    struct ReplyText {
        plugin_name: Option<String>,
        result: Option<Json>,
        context: Option<Json>,
        error: Option<ErrorText>,
    }
    #[derive(Deserialize)]
    struct ErrorText {
        message: String,
        plugin_name: Option<String>,
        code: Option<String>,
        details: Option<Json>,
        mcp_error_code: Option<i32>,
    }
    let broken = |error: serde_json::Error| InvalidReply::Result(Unreadable::Text(error.into()));
    let reply: ReplyText = serde_json::from_str(text).map_err(broken)?;
    let anonymous = reply.plugin_name.as_ref().is_none_or(String::is_empty) && reply.error.is_some();
    if reply.plugin_name.as_deref() != Some(plugin) && !anonymous {
        return Err(InvalidReply::OtherPlugin);
    }
    let outcome = match (reply.error, reply.result) {
        (Some(error), _) => Outcome::Error(PluginError {
            message: error.message,
            plugin: error.plugin_name.filter(|name| !name.is_empty()).unwrap_or_else(|| plugin.to_owned()),
            code: error.code.unwrap_or_default(),
            details: an_object(error.details.unwrap_or_else(Json::empty_object))
                .map_err(InvalidReply::Details)?,
            mcp_error_code: error.mcp_error_code.unwrap_or(INTERNAL),
        }),
        (None, Some(result)) => Outcome::Result(an_object(result).map_err(InvalidReply::Result)?),
        (None, None) => return Err(InvalidReply::Empty),
    };
    let context = reply.context.map(an_object).transpose().map_err(InvalidReply::Context)?;
    Ok(Reply { plugin: plugin.to_owned(), outcome, context })
}

fn an_object(json: Json) -> Result<Json, Unreadable> {
    if json.is_object() { Ok(json) } else { Err(Unreadable::NotAnObject) }
}
