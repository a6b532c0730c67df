use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::payload::{Payload, Restricted};

/// HTTP headers. A policy names them as one field, `root`.
///
/// ```
/// use cpex::hooks::HttpHeaders;
///
/// let mut headers = HttpHeaders::default();
/// headers.insert("x-trace".into(), "1".into());
/// assert_eq!(headers["x-trace"], "1");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HttpHeaders(pub BTreeMap<String, String>);

impl Deref for HttpHeaders {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for HttpHeaders {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl Payload for HttpHeaders {
    fn restrict(&self, proposed: &Self, writable: &dyn Fn(&str) -> bool) -> Restricted<Self> {
        const ROOT: &str = "root";
        if self == proposed {
            Restricted { payload: None, trimmed: Vec::new() }
        } else if writable(ROOT) {
            Restricted { payload: Some(proposed.clone()), trimmed: Vec::new() }
        } else {
            Restricted { payload: None, trimmed: vec![ROOT.into()] }
        }
    }
}

/// An HTTP request about to be handled.
///
/// ```
/// use cpex::hooks::HttpPreRequest;
///
/// let json = r#"{"path": "/tools", "method": "GET", "headers": {"accept": "*/*"}}"#;
/// let request: HttpPreRequest = serde_json::from_str(json)?;
/// assert_eq!(request.headers["accept"], "*/*");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct HttpPreRequest {
    /// Path of the URL.
    pub path: String,
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Address of the client.
    #[serde(default)]
    pub client_host: Option<String>,
    /// Port of the client.
    #[serde(default)]
    pub client_port: Option<u16>,
    /// Headers of the request.
    pub headers: HttpHeaders,
}

/// An HTTP request that was handled, and its response.
///
/// ```
/// use cpex::hooks::HttpPostRequest;
///
/// let json = r#"{"path": "/tools", "method": "GET", "headers": {}, "status_code": 200}"#;
/// let request: HttpPostRequest = serde_json::from_str(json)?;
/// assert_eq!(request.status_code, Some(200));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct HttpPostRequest {
    /// Path of the URL.
    pub path: String,
    /// `GET`, `POST` and so on.
    pub method: String,
    /// Address of the client.
    #[serde(default)]
    pub client_host: Option<String>,
    /// Port of the client.
    #[serde(default)]
    pub client_port: Option<u16>,
    /// Headers of the request.
    pub headers: HttpHeaders,
    /// Headers of the response.
    #[serde(default)]
    pub response_headers: Option<HttpHeaders>,
    /// Status of the response.
    #[serde(default)]
    pub status_code: Option<u16>,
}

/// Credentials whose user is to be found.
///
/// ```
/// use cpex::hooks::HttpAuthResolveUser;
///
/// let json = r#"{"credentials": {"scheme": "Bearer"}, "headers": {}}"#;
/// let request: HttpAuthResolveUser = serde_json::from_str(json)?;
/// assert!(request.credentials.is_some());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct HttpAuthResolveUser {
    /// What was presented.
    #[serde(default)]
    pub credentials: Option<Map<String, Value>>,
    /// Headers of the request.
    pub headers: HttpHeaders,
    /// Address of the client.
    #[serde(default)]
    pub client_host: Option<String>,
    /// Port of the client.
    #[serde(default)]
    pub client_port: Option<u16>,
}

/// A permission to be checked.
///
/// ```
/// use cpex::hooks::HttpAuthCheckPermission;
///
/// let json = r#"{"user_email": "ann@example.com", "permission": "tools.read"}"#;
/// let request: HttpAuthCheckPermission = serde_json::from_str(json)?;
/// assert!(!request.is_admin);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
pub struct HttpAuthCheckPermission {
    /// Whose permission.
    pub user_email: String,
    /// Which permission.
    pub permission: String,
    /// For what.
    #[serde(default)]
    pub resource_type: Option<String>,
    /// In which team.
    #[serde(default)]
    pub team_id: Option<String>,
    /// Whether the user administers the application.
    #[serde(default)]
    pub is_admin: bool,
    /// How the user proved who they are.
    #[serde(default)]
    pub auth_method: Option<String>,
    /// Address of the client.
    #[serde(default)]
    pub client_host: Option<String>,
    /// What the client says it is.
    #[serde(default)]
    pub user_agent: Option<String>,
}

/// Whether a permission is granted, and why.
///
/// ```
/// let permission = cpex::hooks::Permission { granted: false, reason: Some("not in the team".into()) };
/// assert!(!permission.granted);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Payload)]
pub struct Permission {
    /// Granted?
    pub granted: bool,
    /// Why, or why not.
    #[serde(default)]
    pub reason: Option<String>,
}
