use serde::{Deserialize, Serialize};

/// How a model's completion ended and what it cost.
///
/// ```
/// use cpex::extensions::{Completion, StopReason};
///
/// let completion = Completion { stop_reason: Some(StopReason::MaxTokens), ..Completion::default() };
/// assert_eq!(serde_json::to_value(&completion)?["stop_reason"], "max_tokens");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Completion {
    /// Why generation stopped.
    pub stop_reason: Option<StopReason>,
    /// What it cost.
    pub tokens: Option<TokenUsage>,
    /// The model.
    pub model: Option<String>,
    /// The format of what the provider sent.
    pub raw_format: Option<String>,
    /// When it was made.
    pub created_at: Option<String>,
    /// How long it took.
    pub latency_ms: Option<i64>,
}

/// Why generation stopped.
///
/// ```
/// assert_eq!(serde_json::to_string(&cpex::extensions::StopReason::End)?, r#""end""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "named as in the format")]
pub enum StopReason {
    End,
    Return,
    Call,
    MaxTokens,
    StopSequence,
}

/// Tokens of one completion.
///
/// ```
/// let tokens = cpex::extensions::TokenUsage { input_tokens: 9, output_tokens: 3, total_tokens: 12 };
/// assert_eq!(tokens.total_tokens, tokens.input_tokens + tokens.output_tokens);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_field_names, reason = "named as in the format")]
pub struct TokenUsage {
    /// Those the model read.
    pub input_tokens: i64,
    /// Those it wrote.
    pub output_tokens: i64,
    /// Both.
    pub total_tokens: i64,
}

/// The model in use, and what it can do.
///
/// ```
/// let llm = cpex::extensions::Llm { capabilities: vec!["vision".into()], ..Default::default() };
/// assert_eq!(llm.provider, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Llm {
    /// Which model.
    pub model_id: Option<String>,
    /// Who serves it.
    pub provider: Option<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
}
