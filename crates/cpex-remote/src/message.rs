//! What the two sides say to each other, whatever the transport.

use std::time::Duration;

use crate::json::Json;

/// One hook of one plugin is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The hook, as `tool_pre_invoke`.
    pub hook: String,
    /// The plugin's exact name.
    pub plugin: String,
    /// The payload: an object.
    pub payload: Json,
    /// The context: an object with `state`, `metadata` and `global_context`.
    pub context: Json,
    /// The extensions, as far as the plugin may see them: an object. They go to peers that understand them alone; what
    /// the plugin makes of them comes back as `modified_extensions` of the result.
    pub extensions: Option<Json>,
    /// How long the caller waits for the reply, if it does not wait for ever. A call that is given up no sooner has failed,
    /// and its server is to blame; one that is given up before says nothing of the server.
    pub patience: Option<Duration>,
}

/// The part of a caller's patience after which a call that is given up counts as late: the clocks of the two do not start
/// at once.
#[cfg(any(feature = "_http", feature = "unix"))]
pub(crate) const LATE: f64 = 0.9;

/// What came of a [`Call`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The plugin that answers.
    pub plugin: String,
    /// The result, or why there is none.
    pub outcome: Outcome,
    /// The context after the hook; `None` if nothing is in it.
    pub context: Option<Json>,
}

/// The outcome of a hook. A denial is a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The plugin answered: the whole result, an object.
    Result(Json),
    /// The plugin failed.
    Error(PluginError),
}

/// A plugin failed. Not a denial: what it means is up to the host's `on_error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginError {
    /// What went wrong.
    pub message: String,
    /// The plugin that failed.
    pub plugin: String,
    /// For programs; may be empty.
    pub code: String,
    /// Whatever explains it: an object.
    pub details: Json,
    /// For JSON-RPC callers.
    pub mcp_error_code: i32,
}

impl Call {
    /// A call without extensions.
    #[must_use]
    pub fn new(hook: impl Into<String>, plugin: impl Into<String>, payload: Json, context: Json) -> Self {
        Self { hook: hook.into(), plugin: plugin.into(), payload, context, extensions: None, patience: None }
    }
}

/// JSON-RPC's "internal error", the code of an error that names no other.
pub(crate) const INTERNAL: i32 = -32603;

impl PluginError {
    /// An error of the server itself, not of the plugin.
    #[must_use]
    pub fn internal(plugin: impl Into<String>, message: impl Into<String>) -> Self {
        Self::coded(plugin, message, "INTERNAL_ERROR")
    }

    pub(crate) fn coded(plugin: impl Into<String>, message: impl Into<String>, code: &str) -> Self {
        Self {
            message: message.into(),
            plugin: plugin.into(),
            code: code.to_owned(),
            details: Json::empty_object(),
            mcp_error_code: INTERNAL,
        }
    }
}

impl Reply {
    /// A plugin, or the server in its place, failed.
    #[must_use]
    pub fn failed(error: PluginError) -> Self {
        Self { plugin: error.plugin.clone(), outcome: Outcome::Error(error), context: None }
    }
}
