//! How a server fails to answer.

use cpex_remote::Delivery;
use cpex_remote::balance::BalanceError;

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
