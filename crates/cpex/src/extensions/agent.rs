use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The agent that makes a request, its session and its place in a conversation.
///
/// ```
/// let agent = cpex::extensions::Agent { turn: Some(3), ..Default::default() };
/// assert_eq!(agent.agent_id, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Agent {
    /// What it was asked.
    pub input: Option<String>,
    /// Its session.
    pub session_id: Option<String>,
    /// Its conversation.
    pub conversation_id: Option<String>,
    /// Which turn of the conversation it is.
    pub turn: Option<i64>,
    /// Which agent.
    pub agent_id: Option<String>,
    /// The agent that asked it.
    pub parent_agent_id: Option<String>,
    /// What was said before.
    pub conversation: Option<Conversation>,
}

/// What was said before.
///
/// ```
/// let conversation = cpex::extensions::Conversation { topics: vec!["orders".into()], ..Default::default() };
/// assert!(conversation.history.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// The messages.
    pub history: Vec<Value>,
    /// The same, in short.
    pub summary: Option<String>,
    /// What it is about.
    pub topics: Vec<String>,
}

/// The agent framework a request comes from, and the place in its graph.
///
/// ```
/// let framework = cpex::extensions::Framework { node_id: Some("plan".into()), ..Default::default() };
/// assert!(framework.metadata.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Framework {
    /// Its name.
    pub framework: Option<String>,
    /// Its version.
    pub framework_version: Option<String>,
    /// The node.
    pub node_id: Option<String>,
    /// The graph.
    pub graph_id: Option<String>,
    /// Anything else.
    pub metadata: Map<String, Value>,
}
