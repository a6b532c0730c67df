//! Things that load but are probably not meant.

use std::fmt;

use crate::position::Position;

/// A probable mistake, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where the suspicious key stands.
    pub position: Position,
    /// What is suspicious about it.
    pub kind: ProblemKind,
}

/// The kinds of [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemKind {
    /// A key that stands twice in one mapping. The last one counts.
    DuplicateKey {
        /// The key as written.
        key: String,
        /// Where the key stood before.
        first: Position,
    },
    /// A key that nothing reads.
    UnknownKey {
        /// The key as written.
        key: String,
        /// The mapping it stands in, such as `plugins[0].mcp`; empty at the top.
        parent: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
}

impl ProblemKind {
    /// A short stable name, for machines.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::UnknownKey { .. } => "unknown_key",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ProblemKind::DuplicateKey { key, first } => {
                write!(f, "duplicate key {key:?}, first given at {first}; the last one counts")
            }
            ProblemKind::UnknownKey { key, parent, nearest } => {
                write!(f, "unknown key {key:?}")?;
                if !parent.is_empty() {
                    write!(f, " in {parent}")?;
                }
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest:?}?"),
                    None => write!(f, "; nothing reads it"),
                }
            }
        }
    }
}
