use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::no_arguments;
use crate::payload::Payload;

/// A resource about to be read.
///
/// ```
/// use cpex::hooks::ResourcePreFetch;
///
/// let resource: ResourcePreFetch = serde_json::from_str(r#"{"uri": "file:///etc/hosts"}"#)?;
/// assert!(resource.metadata.unwrap().is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct ResourcePreFetch {
    /// Which resource.
    #[payload(subject)]
    pub uri: String,
    /// What is known about it.
    #[serde(default = "no_arguments")]
    pub metadata: Option<Map<String, Value>>,
}

/// A resource that was read.
///
/// ```
/// use cpex::hooks::ResourcePostFetch;
///
/// let resource = ResourcePostFetch { uri: "file:///etc/hosts".into(), content: "127.0.0.1 localhost".into() };
/// assert!(resource.content.is_string());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct ResourcePostFetch {
    /// Which resource.
    #[payload(subject)]
    pub uri: String,
    /// What it holds.
    pub content: Value,
}
