//! Why a text could not be read. Every variant says where, and what would be right.

use crate::position::Location;

/// A text that is no configuration, and the author of the text can mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A template that does not parse or render.
    #[error("{location}: {message}; {hint}")]
    Template {
        /// Where the template went wrong.
        location: Location,
        /// What the template engine says, without any value of the environment.
        message: String,
        /// What would be right.
        hint: &'static str,
    },
    /// Text that is not YAML.
    #[error("{location}: {message}; {hint}")]
    Syntax {
        /// Where reading stopped.
        location: Location,
        /// What the parser met.
        message: String,
        /// What would be right.
        hint: &'static str,
    },
    /// A scalar that does not fit its tag.
    #[error("{location}: {text:?} is not {expected}")]
    Scalar {
        /// Where the scalar begins.
        location: Location,
        /// The scalar as written in the file: holes stay holes.
        text: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A node of the wrong shape for its tag or place.
    #[error("{location}: {found}; expected {expected}")]
    Shape {
        /// Where the node begins.
        location: Location,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// More than one document in the text.
    #[error("{location}: another document begins here; a configuration is one document: remove the `---`")]
    ManyDocuments {
        /// Where the second document begins.
        location: Location,
    },
    /// Nesting or aliases beyond any sensible size.
    #[error("{location}: {what} exceed the limit of {limit}")]
    Limit {
        /// Where the limit was passed.
        location: Location,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl ConfigError {
    /// Where the text is wrong.
    #[must_use]
    pub fn location(&self) -> &Location {
        match self {
            Self::Template { location, .. }
            | Self::Syntax { location, .. }
            | Self::Scalar { location, .. }
            | Self::Shape { location, .. }
            | Self::ManyDocuments { location }
            | Self::Limit { location, .. } => location,
        }
    }
}
