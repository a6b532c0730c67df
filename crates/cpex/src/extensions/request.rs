use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Identity, time and trace of a request.
///
/// ```
/// let request = cpex::extensions::Request { trace_id: Some("4bf9".into()), ..Default::default() };
/// assert_eq!(request.span_id, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Where the application runs, such as `production`.
    pub environment: Option<String>,
    /// Identifier of the request.
    pub request_id: Option<String>,
    /// When it was made.
    pub timestamp: Option<String>,
    /// The trace it belongs to.
    pub trace_id: Option<String>,
    /// The span it belongs to.
    pub span_id: Option<String>,
}

/// HTTP headers.
///
/// ```
/// let http = cpex::extensions::Http { headers: [("accept".to_owned(), "*/*".to_owned())].into() };
/// assert_eq!(http.headers["accept"], "*/*");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Http {
    /// Values by name.
    pub headers: BTreeMap<String, String>,
}

/// Where a message comes from.
///
/// ```
/// let provenance = cpex::extensions::Provenance { source: Some("mail".into()), ..Default::default() };
/// assert_eq!(provenance.parent_id, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// Its source.
    pub source: Option<String>,
    /// Its identifier.
    pub message_id: Option<String>,
    /// The message it answers.
    pub parent_id: Option<String>,
}

/// Tags, scope and properties that the host attaches to a request.
///
/// ```
/// let meta = cpex::extensions::Meta { tags: ["batch".to_owned()].into(), ..Default::default() };
/// assert!(meta.tags.contains("batch"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meta {
    /// Words to find it by.
    pub tags: BTreeSet<String>,
    /// Where it holds.
    pub scope: Option<String>,
    /// Anything else, by name.
    pub properties: BTreeMap<String, String>,
}
