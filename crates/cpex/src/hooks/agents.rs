use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{HttpHeaders, no_arguments};
use crate::payload::Payload;

/// An agent about to be asked.
///
/// ```
/// use cpex::hooks::AgentPreInvoke;
///
/// let json = r#"{"agent_id": "helper", "messages": [{"role": "user", "content": "Hello"}]}"#;
/// let turn: AgentPreInvoke = serde_json::from_str(json)?;
/// assert_eq!(turn.messages[0]["content"], "Hello");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct AgentPreInvoke {
    /// Which agent.
    #[payload(subject)]
    pub agent_id: String,
    /// The conversation so far.
    pub messages: Vec<Value>,
    /// Names of the tools it may use.
    #[serde(default)]
    pub tools: Option<Vec<String>>,
    /// HTTP headers of the request. Newer hosts have them in the extensions.
    #[serde(default)]
    pub headers: Option<HttpHeaders>,
    /// The model it is to use.
    #[serde(default)]
    pub model: Option<String>,
    /// What it is told first.
    #[serde(default)]
    pub system_prompt: Option<String>,
    /// Settings of the model.
    #[serde(default = "no_arguments")]
    pub parameters: Option<Map<String, Value>>,
}

impl AgentPreInvoke {
    /// A turn of an agent with this conversation.
    ///
    /// ```
    /// let turn = cpex::hooks::AgentPreInvoke::new("helper", vec![serde_json::json!({"role": "user"})]);
    /// assert_eq!(turn.messages.len(), 1);
    /// ```
    #[must_use]
    pub fn new(agent_id: impl Into<String>, messages: Vec<Value>) -> Self {
        Self {
            agent_id: agent_id.into(),
            messages,
            tools: None,
            headers: None,
            model: None,
            system_prompt: None,
            parameters: no_arguments(),
        }
    }
}

/// An agent's answer.
///
/// ```
/// use cpex::hooks::AgentPostInvoke;
///
/// let answer = AgentPostInvoke { agent_id: "helper".into(), messages: Vec::new(), tool_calls: None };
/// assert!(answer.messages.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct AgentPostInvoke {
    /// Which agent.
    #[payload(subject)]
    pub agent_id: String,
    /// What it says.
    pub messages: Vec<Value>,
    /// The tools it wants called.
    #[serde(default)]
    pub tool_calls: Option<Vec<Map<String, Value>>>,
}
