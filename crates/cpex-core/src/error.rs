//! The driver broke the contract.

use thiserror::Error;

/// A call that the state of an [`Invocation`](crate::Invocation) does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Misuse {
    /// The end of a call was told that was not running.
    #[error("entry {0} of the line-up is not running")]
    NotRunning(usize),
    /// A call was told to be cancelled that nothing had put an end to.
    #[error("entry {0} of the line-up was not to be cancelled")]
    NotCancelled(usize),
}
