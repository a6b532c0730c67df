//! Hooks, plugins and policies for AI systems.

#![forbid(unsafe_code)]

extern crate self as cpex;
pub mod context;
pub mod builder;
mod driver;
pub mod error;
pub mod hook;
mod host;
pub mod manager;
mod narrator;
pub mod outcome;
pub mod payload;
pub mod plugin;
mod registered;
pub mod reply;
pub mod violation;

pub use cpex_macros::plugin;


pub use builder::{Builder, PluginEntry};
pub use context::{Context, PluginContext, Request, User};
pub use error::{BoxError, Failure, InvokeError};
pub use hook::Hook;
pub use manager::Manager;
pub use outcome::Outcome;
pub use payload::{Json, Payload};
pub use plugin::{Handlers, Plugin};
pub use reply::{Decision, IntoReply, Reply};
pub use violation::Violation;
