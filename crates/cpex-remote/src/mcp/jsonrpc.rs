//! JSON-RPC 2.0, and the versions of MCP.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The versions that are spoken here, the newest first.
pub(super) const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The version of this name, if it is spoken here.
pub(super) fn version(name: &str) -> Option<&'static str> {
    VERSIONS.into_iter().find(|version| *version == name)
}

/// The identifier of a request: a string or a number, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id(String);

impl Id {
    /// `None` if it is neither a string nor a number.
    pub(super) fn read(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        let fits = text.len() <= MAX_ID && text.starts_with(|first: char| "\"-0123456789".contains(first));
        fits.then(|| Self(text.to_owned()))
    }
}

/// Bytes of an identifier.
const MAX_ID: usize = 256;

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self(number.to_string())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A message that was read.
pub(super) enum Message<'m> {
    /// Asks for an answer.
    Request { id: Id, method: Cow<'m, str>, params: Option<&'m RawValue> },
    /// Asks for none.
    Notification { method: Cow<'m, str>, params: Option<&'m RawValue> },
    /// Answers a request.
    Answer { id: Id, outcome: Result<&'m RawValue, Fault> },
    /// An answer to nothing.
    Stray,
}

#[derive(Deserialize)]
struct Envelope<'m> {
    #[serde(borrow)]
    id: Option<&'m RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'m, str>>,
    #[serde(borrow)]
    params: Option<&'m RawValue>,
    #[serde(borrow)]
    result: Option<&'m RawValue>,
    error: Option<Fault>,
}

impl<'m> Message<'m> {
    /// Reads a message.
    ///
    /// # Errors
    /// What to answer, if it is none.
    pub(super) fn read(bytes: &'m [u8]) -> Result<Self, Fault> {
        let envelope: Envelope<'m> =
            serde_json::from_slice(bytes).map_err(|error| match error.is_data() {
                true => Fault::new(Fault::INVALID_REQUEST, "Invalid request"),
                false => {
                    let place = format!("line {}, column {}", error.line(), error.column());
                    Fault::new(Fault::PARSE, format!("Parse error: invalid JSON at {place}"))
                }
            })?;
        let id = match envelope.id {
            Some(raw) => {
                let id = Id::read(raw);
                Some(id.ok_or_else(|| {
                    Fault::new(
                        Fault::INVALID_REQUEST,
                        "Invalid request: id: a string or a number is required",
                    )
                })?)
            }
            None => None,
        };
        Ok(match (id, envelope.method, envelope.result, envelope.error) {
            (Some(id), Some(method), ..) => Self::Request { id, method, params: envelope.params },
            (None, Some(method), ..) => Self::Notification { method, params: envelope.params },
            (Some(id), None, Some(result), None) => Self::Answer { id, outcome: Ok(result) },
            (Some(id), None, _, Some(fault)) => Self::Answer { id, outcome: Err(fault) },
            (None, None, _, Some(_)) => Self::Stray,
            _ => return Err(Fault::new(Fault::INVALID_REQUEST, "Invalid request")),
        })
    }
}

/// An answer that is an error.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) message: String,
}

impl Fault {
    pub(super) const PARSE: i64 = -32700;
    pub(super) const INVALID_REQUEST: i64 = -32600;
    pub(super) const METHOD_NOT_FOUND: i64 = -32601;
    pub(super) const INVALID_PARAMS: i64 = -32602;
    pub(super) const INTERNAL: i64 = -32603;
    /// As the SDKs of MCP say it.
    pub(super) const CANCELLED: i64 = 0;
    pub(super) const TIMED_OUT: i64 = -32001;
    /// The server is stopping: the request was not taken, and may be sent again, to its successor.
    pub(super) const STOPPING: i64 = -32002;

    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The message that tells it.
    pub(super) fn message(&self, id: Option<&Id>) -> String {
        let id: &dyn fmt::Display = id.map_or(&"null", |id| id);
        let (code, text) = (self.code, quoted(&self.message));
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":{text}}}}}"#)
    }
}

/// The message that answers a request.
pub(super) fn answer(id: &Id, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// The message that asks.
pub(super) fn request(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// The message that tells.
pub(super) fn notification(method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#)
}

/// The message that gives a request up.
pub(super) fn cancellation(id: u64) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#)
}

/// JSON on one line: outside strings a line's end is as good as a space, inside it is escaped.
pub(super) fn on_one_line(json: &str) -> Cow<'_, str> {
    match json.contains(['\n', '\r']) {
        true => json.replace(['\n', '\r'], " ").into(),
        false => json.into(),
    }
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    // Writing a string into memory does not fail.
    serde_json::to_string(text).unwrap_or_default()
}
