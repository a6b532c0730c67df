//! The built-in plugins of CPEX, free of any host: what they find, what they change and what they refuse.

#![forbid(unsafe_code)]

pub mod denial;
pub mod error;
pub mod limits;

pub use denial::Denial;
pub use error::ConfigError;
