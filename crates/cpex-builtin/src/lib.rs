//! The built-in plugins of CPEX, free of any host: what they find, what they change and what they refuse.

#![forbid(unsafe_code)]

pub mod denial;
pub mod error;
pub mod finding;
mod fold;
pub mod inspect;
pub mod text;

pub mod action;
pub mod redact;
pub mod vault;

pub mod audit_log;
pub mod deny_list;
pub mod header_injector;
#[cfg(feature = "json_schema")]
pub mod json_schema;
pub mod limits;
pub mod output_length;
pub mod pii;
#[cfg(feature = "policy")]
pub mod policy;
pub mod prompt_injection;
pub mod regex_rewrite;
pub mod secrets;
#[cfg(feature = "url_filter")]
pub mod url_filter;

pub mod plugin;

pub use denial::Denial;
pub use error::ConfigError;
pub use inspect::{Detector, Inspection, inspect};
pub use text::TextTree;
