//! JSON text that is known to be well-formed.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny};
use serde_json::value::RawValue;
use thiserror::Error;

/// The text of one JSON value.
///
/// Neither `Debug` nor an error shows the text: payloads carry what users typed and what tools returned.
#[derive(Clone, PartialEq, Eq)]
pub struct Json(String);

/// A text is not one JSON value.
#[derive(Debug, Error)]
#[error("invalid JSON at line {line}, column {column}")]
pub struct InvalidJson {
    line: usize,
    column: usize,
}

impl Json {
    /// Checks a text.
    ///
    /// # Errors
    /// If it is not exactly one JSON value; the error says where.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidJson> {
        let text = text.into();
        serde_json::from_str::<IgnoredAny>(&text)?;
        Ok(Self(text))
    }

    /// The JSON of a value.
    ///
    /// # Errors
    /// If it has none: a key is no text, or its `Serialize` fails.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self)
    }

    /// Takes a text that this crate wrote itself.
    pub(crate) fn trusted(text: String) -> Self {
        debug_assert!(serde_json::from_str::<IgnoredAny>(&text).is_ok());
        Self(text)
    }

    /// An object without members.
    #[must_use]
    pub fn empty_object() -> Self {
        Self("{}".to_owned())
    }

    /// Is the value an object?
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.0.trim_ascii_start().starts_with('{')
    }

    /// Is the value an object without members?
    #[cfg(feature = "mcp")]
    pub(crate) fn is_empty_object(&self) -> bool {
        let inside = self.0.trim_ascii().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        inside.is_some_and(|inside| inside.trim_ascii().is_empty())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, taken out.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        Self(raw.get().to_owned())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self(String::from(Box::<str>::from(raw))))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Json({} bytes)", self.0.len())
    }
}

impl From<serde_json::Error> for InvalidJson {
    fn from(error: serde_json::Error) -> Self {
        Self { line: error.line(), column: error.column() }
    }
}
