use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Secret;
use crate::extensions::{Delegation, Subject};
use crate::payload::Payload;

/// A token whose subject is to be found.
///
/// ```
/// use cpex::hooks::IdentityResolve;
///
/// let request: IdentityResolve = serde_json::from_str(r#"{"raw_token": "s3cr3t"}"#)?;
/// assert_eq!(request.source, "bearer");
/// assert!(!format!("{request:?}").contains("s3cr3t"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct IdentityResolve {
    /// The token.
    #[payload(subject = opaque)]
    pub raw_token: Secret,
    /// Where it was found.
    #[serde(default = "bearer")]
    pub source: String,
    /// Headers of the request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Address of the client.
    #[serde(default)]
    pub client_host: Option<String>,
    /// Port of the client.
    #[serde(default)]
    pub client_port: Option<u16>,
}

/// The subject of a token, or why it was rejected.
///
/// ```
/// let identity = cpex::hooks::Identity { rejected: true, ..Default::default() };
/// assert_eq!(identity.reject_status, 401);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
#[serde(default)]
pub struct Identity {
    /// Whose token it is.
    pub subject: Option<Subject>,
    /// On whose behalf the subject acts.
    pub delegation: Option<Delegation>,
    /// Rejected?
    pub rejected: bool,
    /// The HTTP status to reject with.
    pub reject_status: u16,
    /// Why it was rejected.
    pub reject_reason: String,
    /// What the token says.
    pub raw_claims: Map<String, Value>,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            subject: None,
            delegation: None,
            rejected: false,
            reject_status: 401,
            reject_reason: String::new(),
            raw_claims: Map::new(),
        }
    }
}

/// How a delegated token is to be narrowed.
///
/// ```
/// let narrow = cpex::hooks::Attenuation { ttl_seconds: Some(60), ..Default::default() };
/// assert!(narrow.actions.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attenuation {
    /// What may be done with it.
    pub capabilities: Vec<String>,
    /// What it may be used for.
    pub resource_template: Option<String>,
    /// Which actions it allows.
    pub actions: Vec<String>,
    /// For how long.
    pub ttl_seconds: Option<u64>,
}

/// A target a token is needed for.
///
/// ```
/// use cpex::hooks::TokenDelegate;
///
/// let request: TokenDelegate = serde_json::from_str(r#"{"target_name": "search"}"#)?;
/// assert_eq!(request.target_type, "tool");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct TokenDelegate {
    /// Name of the target.
    #[payload(subject)]
    pub target_name: String,
    /// What the target is.
    #[serde(default = "tool")]
    pub target_type: String,
    /// Whom the token is for.
    #[serde(default)]
    pub target_audience: Option<String>,
    /// What must be possible with it.
    #[serde(default)]
    pub required_permissions: Vec<String>,
    /// Where it is trusted.
    #[serde(default)]
    pub trust_domain: Option<String>,
    /// Who checks it.
    #[serde(default = "caller")]
    pub auth_enforced_by: String,
    /// How it is to be narrowed.
    #[serde(default)]
    pub route_attenuation: Option<Attenuation>,
    /// The token to exchange.
    #[serde(default)]
    pub bearer_token: Option<Secret>,
}

/// The token for a target, and the delegation it stands for.
///
/// ```
/// assert_eq!(cpex::hooks::DelegatedToken::default().delegated_token, None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Payload)]
#[serde(default)]
pub struct DelegatedToken {
    /// The token.
    pub delegated_token: Option<String>,
    /// The chain with the new hop.
    pub delegation_update: Delegation,
    /// Headers to send it with.
    pub forwarded_headers: BTreeMap<String, String>,
    /// Under which key it may be cached.
    pub cache_key: Option<String>,
    /// For how many seconds.
    pub cache_ttl: Option<u64>,
}

fn bearer() -> String {
    "bearer".to_owned()
}

fn tool() -> String {
    "tool".to_owned()
}

fn caller() -> String {
    "caller".to_owned()
}
