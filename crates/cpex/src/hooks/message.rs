//! Messages in the common format, part by part.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::payload::Payload;

/// A message, and where it is evaluated.
///
/// ```
/// use cpex::hooks::MessagePayload;
/// use cpex::hooks::message::{Message, Role};
///
/// let payload = MessagePayload::from(Message::text(Role::User, "Hello"));
/// assert_eq!(serde_json::to_value(&payload)?["message"]["content"][0]["content_type"], "text");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct MessagePayload {
    /// The message.
    pub message: Message,
    /// Where in the conversation.
    #[serde(default)]
    pub hook: Place,
}

impl From<Message> for MessagePayload {
    fn from(message: Message) -> Self {
        Self { message, hook: Place::default() }
    }
}

/// Where in a conversation a message is evaluated.
///
/// ```
/// assert_eq!(serde_json::to_string(&cpex::hooks::message::Place::LlmInput)?, r#""llm_input""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named as in the format")]
pub enum Place {
    #[default]
    Evaluate,
    LlmInput,
    LlmOutput,
    ToolPreInvoke,
    ToolPostInvoke,
    PromptPreFetch,
    PromptPostFetch,
    ResourcePreFetch,
    ResourcePostFetch,
}

/// What somebody says, part by part.
///
/// ```
/// use cpex::hooks::message::{Message, Part, Role};
///
/// let message = Message::text(Role::User, "Hello");
/// assert_eq!(message.content, [Part::Text { text: "Hello".into() }]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Version of the format.
    #[serde(default = "schema_version")]
    pub schema_version: String,
    /// Who says it.
    pub role: Role,
    /// The parts.
    #[serde(default)]
    pub content: Vec<Part>,
    /// Whom it is meant for.
    #[serde(default)]
    pub channel: Option<Channel>,
}

impl Message {
    /// A message of one text.
    ///
    /// ```
    /// use cpex::hooks::message::{Message, Role};
    ///
    /// assert_eq!(Message::text(Role::User, "Hello").role, Role::User);
    /// ```
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        let content = vec![Part::Text { text: text.into() }];
        Self { schema_version: schema_version(), role, content, channel: None }
    }
}

/// Who says a message.
///
/// ```
/// assert_eq!(serde_json::to_string(&cpex::hooks::message::Role::Assistant)?, r#""assistant""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named as in the format")]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

/// Whom a model's message is meant for.
///
/// ```
/// assert_eq!(serde_json::to_string(&cpex::hooks::message::Channel::Final)?, r#""final""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named as in the format")]
pub enum Channel {
    Analysis,
    Commentary,
    Final,
}

/// A part of a message.
///
/// ```
/// use cpex::hooks::message::Part;
///
/// let part: Part = serde_json::from_str(r#"{"content_type": "text", "text": "Hello"}"#)?;
/// assert_eq!(part, Part::Text { text: "Hello".into() });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "content_type", rename_all = "snake_case")]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// A model's reasoning.
    Thinking {
        /// The text.
        text: String,
    },
    /// A request to call a tool.
    ToolCall {
        /// The request.
        content: ToolCall,
    },
    /// What a tool returned.
    ToolResult {
        /// The result.
        content: ToolResult,
    },
    /// A resource with its content.
    Resource {
        /// The resource.
        content: Resource,
    },
    /// A resource without its content.
    ResourceRef {
        /// The reference.
        content: ResourceReference,
    },
    /// A request to render a prompt.
    PromptRequest {
        /// The request.
        content: PromptRequest,
    },
    /// A rendered prompt.
    PromptResult {
        /// The prompt.
        content: PromptResult,
    },
    /// An image.
    Image {
        /// Where it is.
        content: Media,
    },
    /// A video.
    Video {
        /// Where it is.
        content: Recording,
    },
    /// A recording.
    Audio {
        /// Where it is.
        content: Recording,
    },
    /// A document.
    Document {
        /// Where it is.
        content: Document,
    },
}

/// A request to call a tool.
///
/// ```
/// use cpex::hooks::message::ToolCall;
///
/// let call: ToolCall = serde_json::from_str(r#"{"tool_call_id": "1", "name": "search"}"#)?;
/// assert!(call.arguments.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Identifier of the call.
    pub tool_call_id: String,
    /// Name of the tool.
    pub name: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Where the tool comes from.
    #[serde(default)]
    pub namespace: Option<String>,
}

/// What a tool returned.
///
/// ```
/// use cpex::hooks::message::ToolResult;
///
/// let result: ToolResult = serde_json::from_str(r#"{"tool_call_id": "1", "tool_name": "search"}"#)?;
/// assert!(!result.is_error);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// Identifier of the call.
    pub tool_call_id: String,
    /// Name of the tool.
    pub tool_name: String,
    /// What it returned.
    #[serde(default)]
    pub content: Value,
    /// Whether it is an error.
    #[serde(default)]
    pub is_error: bool,
}

/// What a resource is.
///
/// ```
/// assert_eq!(serde_json::to_string(&cpex::hooks::message::ResourceType::File)?, r#""file""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named as in the format")]
pub enum ResourceType {
    File,
    Blob,
    Uri,
    Database,
    Api,
    Memory,
    Artifact,
}

/// A resource with its content, either text or bytes.
///
/// ```
/// use cpex::hooks::message::Resource;
///
/// let json = r#"{"resource_request_id": "1", "uri": "file:///a", "resource_type": "file", "content": "text"}"#;
/// let resource: Resource = serde_json::from_str(json)?;
/// assert_eq!(resource.content.as_deref(), Some("text"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Identifier of the request for it.
    pub resource_request_id: String,
    /// Which resource.
    pub uri: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// What it is.
    pub resource_type: ResourceType,
    /// Its text.
    #[serde(default)]
    pub content: Option<String>,
    /// Its bytes: as text if they are UTF-8, else encoded as `blob_encoding` says.
    #[serde(default)]
    pub blob: Option<String>,
    /// `base64`, if `blob` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob_encoding: Option<String>,
    /// Its media type.
    #[serde(default)]
    pub mime_type: Option<String>,
    /// Its size.
    #[serde(default)]
    pub size_bytes: Option<u64>,
    /// What is known about it.
    #[serde(default)]
    pub annotations: Map<String, Value>,
    /// Which version of it.
    #[serde(default)]
    pub version: Option<String>,
}

/// A resource without its content.
///
/// ```
/// use cpex::hooks::message::ResourceReference;
///
/// let json = r#"{"resource_request_id": "1", "uri": "file:///a", "resource_type": "file"}"#;
/// let reference: ResourceReference = serde_json::from_str(json)?;
/// assert_eq!(reference.selector, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceReference {
    /// Identifier of the request for it.
    pub resource_request_id: String,
    /// Which resource.
    pub uri: String,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is.
    pub resource_type: ResourceType,
    /// Where the part begins that is meant.
    #[serde(default)]
    pub range_start: Option<i64>,
    /// Where it ends.
    #[serde(default)]
    pub range_end: Option<i64>,
    /// What else says which part is meant.
    #[serde(default)]
    pub selector: Option<String>,
}

/// A request to render a prompt.
///
/// ```
/// use cpex::hooks::message::PromptRequest;
///
/// let request: PromptRequest = serde_json::from_str(r#"{"prompt_request_id": "1", "name": "greeting"}"#)?;
/// assert!(request.arguments.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptRequest {
    /// Identifier of the request.
    pub prompt_request_id: String,
    /// Which prompt.
    pub name: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Where the prompt comes from.
    #[serde(default)]
    pub server_id: Option<String>,
}

/// A rendered prompt.
///
/// ```
/// use cpex::hooks::message::PromptResult;
///
/// let result: PromptResult = serde_json::from_str(r#"{"prompt_request_id": "1", "prompt_name": "greeting"}"#)?;
/// assert!(result.messages.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptResult {
    /// Identifier of the request.
    pub prompt_request_id: String,
    /// Which prompt.
    pub prompt_name: String,
    /// What it was rendered to.
    #[serde(default)]
    pub messages: Vec<Message>,
    /// The same as one text.
    #[serde(default)]
    pub content: Option<String>,
    /// Whether rendering failed.
    #[serde(default)]
    pub is_error: bool,
    /// Why it failed.
    #[serde(default)]
    pub error_message: Option<String>,
}

/// How media are given.
///
/// ```
/// assert_eq!(serde_json::to_string(&cpex::hooks::message::Source::Base64)?, r#""base64""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// By a URL.
    Url,
    /// By their bytes.
    Base64,
}

/// Where an image is.
///
/// ```
/// use cpex::hooks::message::Media;
///
/// let image: Media = serde_json::from_str(r#"{"type": "url", "data": "https://example.com/a.png"}"#)?;
/// assert_eq!(image.media_type, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// How it is given.
    #[serde(rename = "type")]
    pub source: Source,
    /// The URL, or the bytes.
    pub data: String,
    /// Its media type.
    #[serde(default)]
    pub media_type: Option<String>,
}

/// Where a video or a recording is.
///
/// ```
/// use cpex::hooks::message::Recording;
///
/// let audio: Recording = serde_json::from_str(r#"{"type": "base64", "data": "AAAA", "duration_ms": 5}"#)?;
/// assert_eq!(audio.duration_ms, Some(5));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// How it is given.
    #[serde(rename = "type")]
    pub source: Source,
    /// The URL, or the bytes.
    pub data: String,
    /// Its media type.
    #[serde(default)]
    pub media_type: Option<String>,
    /// How long it is.
    #[serde(default)]
    pub duration_ms: Option<u64>,
}

/// Where a document is.
///
/// ```
/// use cpex::hooks::message::Document;
///
/// let document: Document = serde_json::from_str(r#"{"type": "base64", "data": "AAAA", "title": "Terms"}"#)?;
/// assert_eq!(document.title.as_deref(), Some("Terms"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// How it is given.
    #[serde(rename = "type")]
    pub source: Source,
    /// The URL, or the bytes.
    pub data: String,
    /// Its media type.
    #[serde(default)]
    pub media_type: Option<String>,
    /// Its title.
    #[serde(default)]
    pub title: Option<String>,
}

fn schema_version() -> String {
    "2.0".to_owned()
}
