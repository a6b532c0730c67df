//! Why a plugin said no.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a plugin said no. A value, not an error: a policy did what it is for.
///
/// Returned as an error from a handler, it denies in every mode, also in those that cannot block.
///
/// ```
/// use cpex::Violation;
///
/// let violation = Violation::new("TOOL_DENIED", "not on the list").detail("tool", "shell").http_status(403);
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
    pub details: Box<Map<String, Value>>,
    /// The JSON-RPC error code to answer with.
    #[serde(default)]
    pub mcp_error_code: Option<i32>,
    /// The HTTP status to answer with.
    #[serde(default)]
    pub http_status_code: Option<u16>,
    /// HTTP headers to answer with.
    #[serde(default)]
    pub http_headers: Option<Box<BTreeMap<String, String>>>,
    /// Which plugin said it; set by the manager.
    #[serde(skip)]
    pub plugin: Box<str>,
}

impl Violation {
    /// A violation with a code for machines and a reason for people.
    ///
    /// ```
    /// assert_eq!(cpex::Violation::new("RATE_LIMIT", "slow down").code, "RATE_LIMIT");
    /// ```
    pub fn new(code: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), reason: reason.into(), ..Self::default() }
    }

    /// The same, explained in full.
    ///
    /// ```
    /// let violation = cpex::Violation::new("PII", "personal data").description("an e-mail address in `body`");
    /// assert!(violation.description.contains("body"));
    /// ```
    #[must_use]
    pub fn description(self, description: impl Into<Cow<'static, str>>) -> Self {
        Self { description: description.into(), ..self }
    }

    /// The same with one more detail.
    ///
    /// ```
    /// assert_eq!(cpex::Violation::new("LIMIT", "too many").detail("limit", 5).details["limit"], 5);
    /// ```
    #[must_use]
    pub fn detail(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }

    /// The same with an HTTP status to answer with.
    ///
    /// ```
    /// assert_eq!(cpex::Violation::new("LIMIT", "too many").http_status(429).http_status_code, Some(429));
    /// ```
    #[must_use]
    pub fn http_status(self, status: u16) -> Self {
        Self { http_status_code: Some(status), ..self }
    }

    /// The same with a header to answer with.
    ///
    /// ```
    /// let violation = cpex::Violation::new("LIMIT", "too many").http_header("retry-after", "5");
    /// assert_eq!(violation.http_headers.unwrap()["retry-after"], "5");
    /// ```
    #[must_use]
    pub fn http_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.http_headers.get_or_insert_default().insert(name.into(), value.into());
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.reason)
    }
}

impl std::error::Error for Violation {}
