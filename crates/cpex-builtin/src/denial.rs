//! A detector's "no".

use std::time::Duration;

use serde_json::{Map, Value};

/// Why a payload must not go on. A host makes it into its own violation.
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    /// What a program compares, such as `PII_DETECTED`.
    pub code: &'static str,
    /// One sentence for people, without any of the text that was found.
    pub reason: String,
    /// Figures and places for the log, without any of the text that was found.
    pub details: Map<String, Value>,
    /// How to say it in HTTP, if 403 does not do.
    pub http_status: Option<u16>,
    /// Headers that go with it in HTTP.
    pub http_headers: Vec<(&'static str, String)>,
    /// When another try is worth it.
    pub retry_after: Option<Duration>,
}

impl Denial {
    /// A denial without details.
    #[must_use]
    pub fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            details: Map::new(),
            http_status: None,
            http_headers: Vec::new(),
            retry_after: None,
        }
    }

    /// The same with something for the log.
    #[must_use]
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }
}
