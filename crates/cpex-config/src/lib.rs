//! CPEX configuration text: YAML with templates in, values that remember where they stood out.
//!
//! [`load`] is the whole of it: render the templates, compose the YAML, resolve every scalar as PyYAML's
//! `safe_load` does (YAML 1.1), and keep the line and column of each key and value of the *source* text.
//!
//! One law holds whatever the environment contains: **a value never adds YAML structure**. What an
//! expression prints becomes an opaque hole in the text, and the raw value is put into the finished scalar.
//!
//! This crate does no IO: text and environment are arguments. It prints no value in an error or a `Debug`.
//!
//! ```
//! use cpex_config::{Environment, Templates, Value, load};
//!
//! let environment = Environment::from([("PORT".to_owned(), "8080".to_owned())]);
//! let document = load("port: {{ env.PORT }}\n", "config.yaml", Templates::Values(&environment))?;
//! let port = document.root().unwrap().get("port").unwrap();
//! assert_eq!(port.value(), &Value::Int(8080));
//! assert_eq!(port.position().to_string(), "1:7");
//! # Ok::<(), cpex_config::ConfigError>(())
//! ```

mod template;

mod emit;
mod filters;
mod hole;
mod methods;
mod source_map;

mod layout;
mod read;

mod compose;
mod construct;

mod binary;
mod number;
mod scalar;
mod timestamp;

mod document;
mod error;
mod keys;
mod position;
mod problem;

pub use document::{Document, Node, Step, Value};
pub use error::ConfigError;
pub use keys::{Keys, nearest, slip_of};
pub use number::BigInt;
pub use position::{Location, Position};
pub use problem::{Problem, ProblemKind};
pub use template::{Environment, Templates};
pub use timestamp::{Date, DateTime, Offset};

/// Reads one configuration document.
///
/// `file` is only a name for messages. An empty text gives a document without a root.
///
/// # Errors
///
/// A [`ConfigError`] with the position of the first thing that cannot be read: a template that does not parse
/// or render, text that is not YAML, a scalar that does not fit its tag, more than one document, or aliases
/// that unfold beyond any sensible size.
pub fn load(text: &str, file: &str, templates: Templates<'_>) -> Result<Document, ConfigError> {
    let rendered = template::render(text, file, templates)?;
    read::read(&rendered, file)
}
