//! What a plugin answers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::call::Context;

/// A plugin's answer: go on, go on with another payload, or stop.
///
/// ```
/// use cpex_wasm_guest::{Reply, Violation};
///
/// let fine = Reply::allow().metadata("score", 0.1);
/// let no = Reply::deny(Violation::new("TOO_LONG", "more than a page"));
/// assert!(fine != no);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reply {
    continue_processing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_payload: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<Violation>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified_extensions: Option<Value>,
    #[serde(skip)]
    context: Option<Context>,
}

/// Why a plugin says no.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Violation {
    /// Why, in a few words.
    pub reason: String,
    /// Why, in full.
    pub description: String,
    /// Why, for machines.
    pub code: String,
    /// More about it.
    pub details: Map<String, Value>,
    /// The HTTP status to answer with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status_code: Option<u16>,
    /// HTTP headers to answer with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_headers: Option<BTreeMap<String, String>>,
}

/// A plugin has no answer: what that means is up to `on_error` of its entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// What went wrong.
    pub message: String,
    /// For programs; may be empty.
    pub code: String,
    /// Whatever explains it.
    pub details: Map<String, Value>,
}

impl Reply {
    fn of(continue_processing: bool) -> Self {
        Self {
            continue_processing,
            modified_payload: None,
            violation: None,
            metadata: Map::new(),
            modified_extensions: None,
            context: None,
        }
    }

    /// Nothing to say: go on.
    #[must_use]
    pub fn allow() -> Self {
        Self::of(true)
    }

    /// Stop.
    #[must_use]
    pub fn deny(violation: Violation) -> Self {
        Self { violation: Some(violation), ..Self::of(false) }
    }

    /// Go on with this payload.
    ///
    /// # Errors
    /// If it has no JSON.
    pub fn modify(payload: impl Serialize) -> Result<Self, Failure> {
        Ok(Self { modified_payload: Some(serde_json::to_value(payload)?), ..Self::of(true) })
    }

    /// The same with something to tell the application.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// The same with this in place of the extensions: what the capabilities of the plugin's entry let it write is taken.
    ///
    /// # Errors
    /// If they have no JSON.
    pub fn extensions(self, extensions: impl Serialize) -> Result<Self, Failure> {
        Ok(Self { modified_extensions: Some(serde_json::to_value(extensions)?), ..self })
    }

    /// The same with what the plugin leaves in the context: its state and metadata, and the state that plugins share.
    #[must_use]
    pub fn context(self, context: Context) -> Self {
        Self { context: Some(context), ..self }
    }

    pub(crate) fn left(&self) -> Option<&Context> {
        self.context.as_ref()
    }
}

impl Violation {
    /// A violation with a code for machines and a reason for people.
    pub fn new(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { code: code.into(), reason: reason.into(), ..Self::default() }
    }

    /// The same, explained in full.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Self {
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

impl Failure {
    /// A failure that says this.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// The same with a code for programs.
    #[must_use]
    pub fn code(self, code: impl Into<String>) -> Self {
        Self { code: code.into(), ..self }
    }

    /// The same with one more detail.
    #[must_use]
    pub fn detail(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(format!("something has no JSON: {error}"))
    }
}
