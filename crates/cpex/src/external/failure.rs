//! How a plugin failed on its server.

use cpex_remote::Delivery;
use cpex_remote::balance::BalanceError;
use serde_json::{Map, Value};

/// An external plugin failed on its server: what [`Failure::Error`](crate::Failure::Error) holds then.
///
/// If there is no answer at all, it holds an [`Unanswered`].
///
/// ```
/// use cpex::external::RemoteFailure;
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

/// There is no answer of an external plugin: what [`Failure::Error`](crate::Failure::Error) holds if its server cannot be
/// reached, is too slow, or says something that is no answer. The text says which server, and what is wrong.
///
/// ```
/// use cpex::external::Unanswered;
/// use cpex::{Failure, InvokeError};
///
/// /// Is the server left alone, for it has failed too often?
/// fn is_left_alone(error: &InvokeError) -> bool {
///     match error {
///         InvokeError::Plugin { failure: Failure::Error(error), .. } => {
///             error.downcast_ref::<Unanswered>().is_some_and(|error| error.code() == "BREAKER_OPEN")
///         }
///         _ => false,
///     }
/// }
/// # let _ = is_left_alone;
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unanswered(#[from] BalanceError);

impl Unanswered {
    /// What is wrong, in the words of the Python host: `NOT_CONNECTED`, `DISCONNECTED`, `TIMED_OUT`, `REFUSED`,
    /// `INVALID_RESPONSE`, `JSON_DECODE_ERROR`, `NOT_SENDABLE` or `BREAKER_OPEN`.
    ///
    /// ```
    /// # fn print(error: &cpex::external::Unanswered) {
    /// println!("{}: {error}", error.code());
    /// # }
    /// # let _ = print;
    /// ```
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code()
    }

    /// Can it be that the plugin has run?
    ///
    /// ```
    /// # fn print(error: &cpex::external::Unanswered) {
    /// if error.may_have_run() {
    ///     println!("do not just try again");
    /// }
    /// # }
    /// # let _ = print;
    /// ```
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        self.0.delivery() != Delivery::NotDelivered
    }
}
