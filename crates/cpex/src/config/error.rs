use std::fmt;

use cpex_config::{Document, Position};

/// A configuration says something that it cannot. Never shows a value: it may be a secret.
///
/// ```
/// let error = cpex::config::Config::parse("plugins: 5", "plugins.yaml").unwrap_err();
/// assert_eq!(error.to_string(), "plugins.yaml:1:10: plugins: expected a list, found an integer");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// File, line and column; `None` for a configuration written in Rust.
    pub place: Option<String>,
    /// The path of the field, such as `plugins[0].config.tools`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl ConfigError {
    pub(crate) fn new(document: &Document, at: Option<Position>, path: String, message: String) -> Self {
        let at = at.unwrap_or(Position::START);
        Self { place: Some(format!("{}:{at}", document.file())), path, message }
    }

    /// What is wrong, for a message that names the place itself.
    pub(crate) fn without_place(&self) -> String {
        Self { place: None, ..self.clone() }.to_string()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigError {}
