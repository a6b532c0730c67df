//! What a host asks, in the words of this crate.

use cpex_remote::{Call, Json};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::expected;
use crate::context::{Context, Request};
use crate::extensions::Extensions;

/// The context of a call: whose request it is, and what plugins have left in it so far.
pub(super) struct Asked {
    pub(super) context: Context,
    /// What the plugin keeps for itself.
    pub(super) state: Map<String, Value>,
    /// What hosts keep beside that; it goes back as it came.
    pub(super) metadata: Map<String, Value>,
}

#[derive(Deserialize)]
struct ContextText {
    state: Option<Map<String, Value>>,
    metadata: Option<Map<String, Value>>,
    global_context: Global,
}

#[derive(Deserialize)]
struct Global {
    #[serde(flatten)]
    request: Request,
    state: Option<Map<String, Value>>,
}

/// Reads the context of a call, and its extensions.
///
/// # Errors
/// What is wrong with them, without their values.
pub(super) fn read(call: &Call) -> Result<Asked, String> {
    let wrong = |what: &str, error: serde_json::Error| format!("{what}: {}", expected(&error));
    let text = call.context.as_str();
    let ContextText { state, metadata, global_context } =
        serde_json::from_str(text).map_err(|error| wrong("context", error))?;
    let mut context = Context::from(global_context.request);
    if let Some(extensions) = call.extensions.as_ref().map(Json::as_str) {
        let extensions: Extensions =
            serde_json::from_str(extensions).map_err(|error| wrong("extensions", error))?;
        context = context.extensions(extensions);
    }
    for (key, value) in global_context.state.unwrap_or_default() {
        context.share(key, value);
    }
    Ok(Asked { context, state: state.unwrap_or_default(), metadata: metadata.unwrap_or_default() })
}
