//! Everything a host tells plugins besides the payload: one slot for each concern.
//!
//! A plugin is shown the slots that its capabilities grant, and of what it writes only what they allow is taken; who
//! may do what is said once, in [`cpex_core::capability`]. The JSON is that of the Python host's models.

mod access;
mod agent;
mod delegation;
mod mcp;
mod model;
mod request;
mod security;

use std::collections::BTreeMap;

pub use agent::{Agent, Conversation, Framework};
pub use delegation::{Delegation, Hop};
pub use mcp::{Mcp, PromptMetadata, ResourceMetadata, ToolMetadata};
pub use model::{Completion, Llm, StopReason, TokenUsage};
pub use request::{Http, Meta, Provenance, Request};
pub use security::{DataPolicy, ObjectProfile, Retention, Security, Subject, SubjectType};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use access::{compare, merge, show};

/// Everything a host tells plugins besides the payload.
///
/// ```
/// use cpex::extensions::{Extensions, Security};
///
/// let security = Security { labels: ["pii".to_owned()].into(), ..Security::default() };
/// let extensions = Extensions { security: Some(security), ..Extensions::default() };
/// let json = serde_json::to_value(&extensions)?;
/// assert_eq!(json["security"]["labels"][0], "pii");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extensions {
    /// Identity, time and trace of the request.
    pub request: Option<Request>,
    /// The agent, its session and its place in a conversation.
    pub agent: Option<Agent>,
    /// HTTP headers.
    pub http: Option<Http>,
    /// Labels, classification, subject, and the profiles of objects and data.
    pub security: Option<Security>,
    /// On whose behalf the request is made.
    pub delegation: Option<Delegation>,
    /// What an MCP server says of the tool, resource or prompt in question.
    pub mcp: Option<Mcp>,
    /// How a model's completion ended and what it cost.
    pub completion: Option<Completion>,
    /// Where a message comes from.
    pub provenance: Option<Provenance>,
    /// The model in use.
    pub llm: Option<Llm>,
    /// The agent framework the request comes from.
    pub framework: Option<Framework>,
    /// Tags and properties.
    pub meta: Option<Meta>,
    /// Anything else. Every plugin may read and write it.
    pub custom: Option<BTreeMap<String, Value>>,
}

/// What a plugin is shown if the host has none.
pub(crate) static NONE: Extensions = Extensions {
    request: None,
    agent: None,
    http: None,
    security: None,
    delegation: None,
    mcp: None,
    completion: None,
    provenance: None,
    llm: None,
    framework: None,
    meta: None,
    custom: None,
};
