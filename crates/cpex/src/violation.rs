//! Why a plugin said no.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a plugin said no. A value, not an error: a policy did what it is for.
///
/// ```
/// use cpex::Violation;
///
/// let violation = Violation::new("TOOL_DENIED", "not on the list").detail("tool", "shell");
/// assert_eq!(violation.to_string(), "TOOL_DENIED: not on the list");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Why, in a few words.
    pub reason: Cow<'static, str>,
    /// Why, in full.
    #[serde(default)]
    pub description: Cow<'static, str>,
    /// Why, for machines.
    pub code: Cow<'static, str>,
    /// More about it.
    #[serde(default)]
    pub details: Map<String, Value>,
    /// The JSON-RPC error code to answer with.
    #[serde(default)]
    pub mcp_error_code: Option<i32>,
    /// The HTTP status to answer with.
    #[serde(default)]
    pub http_status_code: Option<u16>,
    /// HTTP headers to answer with.
    #[serde(default)]
    pub http_headers: Option<BTreeMap<String, String>>,
    /// Which plugin said it; set by the manager.
    #[serde(skip)]
    pub plugin: Cow<'static, str>,
}

impl Violation {
    /// A violation with a code for machines and a reason for people.
    pub fn new(code: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), reason: reason.into(), ..Self::default() }
    }

    /// The same, explained in full.
    #[must_use]
    pub fn description(self, description: impl Into<Cow<'static, str>>) -> Self {
        Self { description: description.into(), ..self }
    }

    /// The same with one more detail.
    #[must_use]
    pub fn detail(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }

    /// The same with an HTTP status to answer with.
    #[must_use]
    pub fn http_status(self, status: u16) -> Self {
        Self { http_status_code: Some(status), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl std::error::Error for Violation {}
