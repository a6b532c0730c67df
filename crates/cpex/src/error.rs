//! What can go wrong, for whom.

use std::fmt;
use std::time::Duration;

use crate::violation::Violation;

/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A hook could not be carried through.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvokeError {
    /// A plugin failed whose `on_error` is `fail`.
    #[error("plugin {plugin:?} failed: {failure}")]
    Plugin {
        /// Name of the plugin.
        plugin: String,
        /// What went wrong.
        #[source]
        failure: Failure,
    },
    /// A plugin replaced the payload by one of another type than the hook returns.
    #[error("hook {hook:?} returns {expected}, a plugin returned {found}")]
    Payload {
        /// Name of the hook.
        hook: String,
        /// The type of the hook.
        expected: &'static str,
        /// The type that was found.
        found: &'static str,
    },
}

/// How a plugin failed.
#[derive(Debug)]
pub enum Failure {
    /// It returned an error.
    Error(BoxError),
    /// It took longer than this.
    TimedOut(Duration),
    /// It panicked with this message.
    Panicked(String),
    /// It returned a violation as an error: a denial that no mode suppresses.
    Refused(Box<Violation>),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => error.fmt(f),
            Self::TimedOut(limit) => write!(f, "took longer than {limit:?}"),
            Self::Panicked(message) => write!(f, "panicked: {message}"),
            Self::Refused(violation) => violation.fmt(f),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Error(error) => Some(&**error),
            Self::Refused(violation) => Some(&**violation),
            Self::TimedOut(_) | Self::Panicked(_) => None,
        }
    }
}
