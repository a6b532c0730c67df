use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::payload::Payload;

/// A prompt about to be rendered.
///
/// ```
/// use cpex::hooks::PromptPreFetch;
///
/// let prompt: PromptPreFetch = serde_json::from_str(r#"{"prompt_id": "greeting", "args": {"name": "Ann"}}"#)?;
/// assert_eq!(prompt.args.unwrap()["name"], "Ann");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct PromptPreFetch {
    /// Which prompt.
    #[payload(subject)]
    pub prompt_id: String,
    /// Its arguments.
    #[serde(default = "no_arguments")]
    pub args: Option<BTreeMap<String, String>>,
}

/// A rendered prompt.
///
/// ```
/// use cpex::hooks::PromptPostFetch;
///
/// let prompt = PromptPostFetch { prompt_id: "greeting".into(), result: serde_json::json!({"messages": []}) };
/// assert!(prompt.result["messages"].is_array());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct PromptPostFetch {
    /// Which prompt.
    #[payload(subject)]
    pub prompt_id: String,
    /// What it was rendered to.
    pub result: Value,
}

#[allow(clippy::unnecessary_wraps, reason = "the field is optional: null is not the same as absent")]
fn no_arguments() -> Option<BTreeMap<String, String>> {
    Some(BTreeMap::new())
}
