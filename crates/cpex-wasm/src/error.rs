//! What can go wrong.

use thiserror::Error;

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}{problem}", if field.is_empty() { String::new() } else { format!("{field}: ") })]
pub struct ConfigError {
    /// The path of the field below the plugin's `config`, such as `module`; empty for all of it.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl ConfigError {
    /// Names the field and its problem.
    pub(crate) fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

/// A plugin has not answered, and the instance that should have is gone. It is never an allow.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// It does what no code may: `unreachable`, a division by zero, a place outside its memory.
    #[error("the plugin trapped: {0}")]
    Trapped(String),
    /// It has used what a call may use.
    #[error("the plugin used more than its {0} units of fuel")]
    OutOfFuel(u64),
    /// It wanted more memory than there is for it.
    #[error("the plugin wants more than its {0} bytes of memory")]
    OutOfMemory(usize),
    /// It has not begun: it does not like its settings.
    #[error("the plugin does not start: {0}")]
    NotStarted(String),
    /// What it answered is none.
    #[error("the plugin's answer cannot be read: {0}")]
    BadReply(String),
}
