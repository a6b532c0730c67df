use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{HttpHeaders, no_arguments};
use crate::payload::Payload;

/// A tool about to be called.
///
/// ```
/// use cpex::hooks::ToolPreInvoke;
///
/// let call = ToolPreInvoke::new("search").with("query", "cpex");
/// assert_eq!(call.arg("query"), Some(&"cpex".into()));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct ToolPreInvoke {
    /// Name of the tool.
    #[payload(subject)]
    pub name: String,
    /// Its arguments.
    #[serde(default = "no_arguments")]
    pub args: Option<Map<String, Value>>,
    /// HTTP headers of the request. Newer hosts have them in the extensions.
    #[serde(default)]
    pub headers: Option<HttpHeaders>,
}

impl ToolPreInvoke {
    /// A call without arguments.
    ///
    /// ```
    /// assert_eq!(cpex::hooks::ToolPreInvoke::new("search").name, "search");
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), args: no_arguments(), headers: None }
    }

    /// The same with one more argument.
    ///
    /// ```
    /// assert!(cpex::hooks::ToolPreInvoke::new("search").with("limit", 5).arg("limit").is_some());
    /// ```
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.args.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// An argument.
    ///
    /// ```
    /// assert_eq!(cpex::hooks::ToolPreInvoke::new("search").arg("limit"), None);
    /// ```
    #[must_use]
    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.args.as_ref()?.get(name)
    }
}

/// What a tool returned.
///
/// ```
/// use cpex::hooks::ToolPostInvoke;
///
/// let answer = ToolPostInvoke { name: "search".into(), result: serde_json::json!({"hits": 3}) };
/// assert_eq!(answer.result["hits"], 3);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct ToolPostInvoke {
    /// Name of the tool.
    #[payload(subject)]
    pub name: String,
    /// What it returned.
    pub result: Value,
}
