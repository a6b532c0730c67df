use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What an MCP server says of the tool, resource or prompt in question.
///
/// ```
/// assert_eq!(cpex::extensions::Mcp::default().tool, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mcp {
    /// The tool.
    pub tool: Option<ToolMetadata>,
    /// The resource.
    pub resource: Option<ResourceMetadata>,
    /// The prompt.
    pub prompt: Option<PromptMetadata>,
}

/// A tool as its server lists it.
///
/// ```
/// use cpex::extensions::ToolMetadata;
///
/// let tool: ToolMetadata = serde_json::from_str(r#"{"name": "search", "annotations": {"readOnlyHint": true}}"#)?;
/// assert_eq!(tool.annotations["readOnlyHint"], true);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolMetadata {
    /// Its name.
    pub name: String,
    /// Its name for people.
    #[serde(default)]
    pub title: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// JSON Schema of its arguments.
    #[serde(default)]
    pub input_schema: Option<Map<String, Value>>,
    /// JSON Schema of its result.
    #[serde(default)]
    pub output_schema: Option<Map<String, Value>>,
    /// Its server.
    #[serde(default)]
    pub server_id: Option<String>,
    /// Its namespace.
    #[serde(default)]
    pub namespace: Option<String>,
    /// What its server says about it.
    #[serde(default)]
    pub annotations: Map<String, Value>,
}

/// A resource as its server lists it.
///
/// ```
/// use cpex::extensions::ResourceMetadata;
///
/// let resource: ResourceMetadata = serde_json::from_str(r#"{"uri": "file:///a"}"#)?;
/// assert_eq!(resource.mime_type, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceMetadata {
    /// Which resource.
    pub uri: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Its media type.
    #[serde(default)]
    pub mime_type: Option<String>,
    /// Its server.
    #[serde(default)]
    pub server_id: Option<String>,
    /// What its server says about it.
    #[serde(default)]
    pub annotations: Map<String, Value>,
}

/// A prompt as its server lists it.
///
/// ```
/// use cpex::extensions::PromptMetadata;
///
/// let prompt: PromptMetadata = serde_json::from_str(r#"{"name": "greeting"}"#)?;
/// assert_eq!(prompt.arguments, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptMetadata {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The arguments it takes.
    #[serde(default)]
    pub arguments: Option<Vec<Map<String, Value>>>,
    /// Its server.
    #[serde(default)]
    pub server_id: Option<String>,
    /// What its server says about it.
    #[serde(default)]
    pub annotations: Map<String, Value>,
}
