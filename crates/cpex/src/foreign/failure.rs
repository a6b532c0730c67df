//! How a foreign plugin failed.

use serde_json::{Map, Value};

/// A plugin on a server or in WebAssembly says that it has failed: what [`Failure::Error`](crate::Failure::Error) holds
/// then.
///
/// If there is no answer at all, it holds another error: `Unanswered` if it is a server's, a trap or what is no answer if
/// it is WebAssembly's.
///
/// ```
/// # #[cfg(feature = "external")]
/// use cpex::external::RemoteFailure;
/// # #[cfg(not(feature = "external"))]
/// # use cpex::wasm::RemoteFailure;
/// use cpex::{Failure, InvokeError};
///
/// fn code(error: &InvokeError) -> Option<&str> {
///     match error {
///         InvokeError::Plugin { failure: Failure::Error(error), .. } => {
///             Some(&error.downcast_ref::<RemoteFailure>()?.code)
///         }
///         _ => None,
///     }
/// }
/// # let _ = code;
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct RemoteFailure {
    /// What went wrong.
    pub message: String,
    /// For programs; may be empty.
    pub code: String,
    /// Whatever explains it.
    pub details: Map<String, Value>,
    /// For JSON-RPC callers.
    pub mcp_error_code: i32,
}

impl From<cpex_remote::PluginError> for RemoteFailure {
    fn from(error: cpex_remote::PluginError) -> Self {
        let cpex_remote::PluginError { message, code, details, mcp_error_code, .. } = error;
        // The transport has made sure that it is an object.
        let details = serde_json::from_str(details.as_str()).unwrap_or_default();
        Self { message, code, details, mcp_error_code }
    }
}
