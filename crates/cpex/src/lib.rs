//! Hooks, plugins and policies for AI systems.
//!
//! An application defines **hooks**: named points where it can be intercepted. **Plugins** attach to them; the
//! [`Manager`] runs those that answer a hook, in phases, and says what came of it: go on, go on with another payload,
//! or stop.
//!
//! ```
//! use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
//! use cpex::{Context, Manager, Reply, Violation, plugin};
//!
//! struct Allowlist {
//!     tools: Vec<&'static str>,
//! }
//!
//! #[plugin]
//! impl Allowlist {
//!     #[hook(TOOL_PRE_INVOKE)]
//!     async fn check(&self, call: &ToolPreInvoke) -> Reply<ToolPreInvoke> {
//!         if self.tools.contains(&&*call.name) {
//!             Reply::allow()
//!         } else {
//!             Reply::deny(Violation::new("TOOL_DENIED", "not on the list").detail("tool", &*call.name))
//!         }
//!     }
//! }
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let manager = Manager::builder().plugin("allowlist", Allowlist { tools: vec!["search"] }).start().await?;
//! let context = Context::new("req-1").user("alice");
//! let outcome = manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("shell"), &context).await?;
//! assert_eq!(outcome.violation.unwrap().code, "TOOL_DENIED");
//! manager.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * Plugins are types with [`#[plugin]`](macro@plugin) on an `impl` block, or closures.
//! * Hooks are typed: [`Hook<P, R>`](Hook) is about a `P` and returns an `R`. The built-in ones are in [`hooks`]; those
//!   of an application are its own constants. [`Manager::invoke_json`] takes JSON instead.
//! * Plugins and how they take part can stand in a YAML file, the same that the Python host reads: see [`config`].
//! * Nothing fails open: a plugin that fails, panics or takes too long is judged by its `on_error`, and a manager that
//!   is not running answers with an error.
//! * What happens is told through `tracing`: a span per hook and plugin at debug level, a warning for each denial and
//!   failure, and, with the feature `metrics`, counters and histograms through the `metrics` facade.
//!
//! The rules of the pipeline are those of `cpex-core`; this crate only carries them out, on tokio.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate self as cpex;

pub mod hook;
pub mod hooks;
pub mod payload;

pub mod plugin;
pub mod reply;
pub mod violation;

pub mod context;
mod view;

pub mod extensions;

pub mod builder;
#[cfg(feature = "builtin")]
pub mod builtin;
pub mod config;
mod factory;
mod handler;

mod change;
mod failure;
mod lease;
pub mod lifecycle;
pub mod manager;
mod plan;
mod planning;
mod unavailable;

mod call;
mod detached;
mod driver;
mod health;
mod host;
mod memory;

pub mod error;
pub mod outcome;
pub mod report;

mod metrics;
mod narrator;

pub use builder::Builder;
pub use context::{Context, PluginContext, Request, User};
pub use cpex_core::Capability;
pub use cpex_macros::plugin;
pub use error::{BoxError, Error, Failure, InvokeError};
pub use extensions::Extensions;
pub use factory::IntoPlugin;
pub use hook::Hook;
pub use manager::Manager;
pub use outcome::Outcome;
pub use payload::{Json, Payload};
pub use plugin::{Handlers, Plugin};
pub use reply::{Decision, IntoReply, Reply};
pub use report::Report;
pub use violation::Violation;

/// The code of the guide and of the README is compiled and run.
#[cfg(all(doctest, feature = "builtin"))]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/rust/quickstart.md")]
    struct Quickstart;
    #[doc = include_str!("../../../docs/rust/plugins.md")]
    struct Plugins;
    #[doc = include_str!("../../../docs/rust/hooks.md")]
    struct Hooks;
    #[doc = include_str!("../../../docs/rust/configuration.md")]
    struct Configuration;
    #[doc = include_str!("../../../docs/rust/observability.md")]
    struct Observability;
    #[doc = include_str!("../../../docs/rust/testing.md")]
    struct Testing;
}
