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
//! # Plugins
//!
//! A plugin is a type with [`#[plugin]`](macro@plugin) on an `impl` block, or a closure. A handler takes the payload by
//! reference and, if it wants them, a `&mut `[`PluginContext`] and the `&`[`Extensions`] that its capabilities let it
//! see; it returns a [`Reply`], a `Result` of one, or nothing, which allows. A [`PluginConfig`](config::PluginConfig)
//! says how it takes part: its [mode](config::Mode), its priority, [when](config::Condition) it runs, how long it may
//! take, and what a failure of it means.
//!
//! ```
//! use cpex::config::{Condition, Mode, PluginConfig};
//! use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
//! use cpex::{Context, Manager, PluginContext, Reply};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let limit = |call: &ToolPreInvoke, _: &mut PluginContext| match call.arg("limit").and_then(|limit| limit.as_u64()) {
//!     Some(11..) => Reply::modify(call.clone().with("limit", 10)),
//!     _ => Reply::allow(),
//! };
//! let acme = Condition { tenant_ids: vec!["acme".into()], ..Condition::default() };
//! let entry = PluginConfig::new("limit").mode(Mode::Transform).priority(10).when(acme);
//! let manager = Manager::builder().on(&TOOL_PRE_INVOKE, entry, limit).start().await?;
//! let call = ToolPreInvoke::new("search").with("limit", 500);
//! let outcome = manager.invoke(&TOOL_PRE_INVOKE, &call, &Context::new("req-1").tenant("acme")).await?;
//! assert_eq!(outcome.into_payload(call)?.arg("limit"), Some(&10.into()));
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Hooks
//!
//! [`Hook<P, R>`](Hook) is about a `P` and returns an `R`. The built-in ones are in [`hooks`]; those of an application
//! are its own constants. [`Manager::invoke_json`] takes JSON instead.
//!
//! ```
//! use cpex::{Context, Hook, Manager, Payload, PluginContext};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Payload)]
//! struct Mail {
//!     to: String,
//!     body: String,
//! }
//!
//! const MAIL_PRE_SEND: Hook<Mail> = Hook::new("mail_pre_send");
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let counts = |mail: &Mail, _: &mut PluginContext| println!("{} bytes", mail.body.len());
//! let manager = Manager::builder().on(&MAIL_PRE_SEND, "counts", counts).start().await?;
//! let mail = Mail { to: "ann".into(), body: "hello".into() };
//! assert!(manager.invoke(&MAIL_PRE_SEND, &mail, &Context::new("req-1")).await?.is_allowed());
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Configuration
//!
//! Plugins and how they take part can stand in a YAML file, the same that the Python host reads: see [`config`], also
//! for the variables of the environment. A kind is a factory, whose argument is the entry's own settings.
//!
//! ```
//! use cpex::{Json, Manager, config::Config, plugin};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Guard {
//!     words: Vec<String>,
//! }
//!
//! #[plugin]
//! impl Guard {
//!     #[hook("ping")]
//!     fn look(&self, _: &Json) {}
//! }
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let yaml = "plugins:\n  - {name: guard, kind: app.Guard, config: {words: no}}\n";
//! let builder = Manager::builder().kind("app.Guard", |guard: Guard| guard);
//! let manager = builder.config(Config::parse(yaml, "plugins.yaml")?).start().await?;
//! let expected = "plugins.yaml:2:52: plugin \"guard\" cannot be loaded: plugins[0].config.words: expected a list, found a boolean";
//! assert_eq!(manager.load_failures().await[0].to_string(), expected);
//! # Ok::<(), cpex::Error>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # At run time
//!
//! A running manager takes over [another configuration](Manager::replace), [reads its files again](Manager::reload), and
//! lets single plugins be [added](Manager::add), [removed](Manager::remove), [changed](Manager::update),
//! [disabled](Manager::disable) and [tried again](Manager::retry_failed). A plugin keeps its instance and what it
//! remembers unless its kind or its own settings change. New calls are answered by the new plugins at once; calls under
//! way end as they began, and a plugin is shut down after the last call of it, or after the time that
//! [`Builder::drain`] allows.
//!
//! # Tenants
//!
//! Conditions on `tenant_ids` let one manager serve many tenants. Where tenants have plugins of their own, give each
//! its manager: one with ten plugins takes 30 to 40 kB. [`Shared`](plugin::Shared) lets managers share what is large.
//!
//! ```
//! use std::collections::HashMap;
//!
//! use cpex::plugin::Shared;
//! use cpex::{Json, Manager, config::Config, plugin};
//!
//! struct Model;
//!
//! #[plugin]
//! impl Model {
//!     #[hook("ping")]
//!     fn look(&self, _: &Json) {}
//! }
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let (config, model) = (Config::parse("plugins: []", "plugins.yaml")?, Shared::new(Model));
//! let mut tenants = HashMap::new();
//! for tenant in ["acme", "emca"] {
//!     let builder = Manager::builder().config(config.clone()).plugin("model", model.clone());
//!     tenants.insert(tenant, builder.start().await?);
//! }
//! # Ok::<(), cpex::Error>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Other processes
//!
//! With the feature `external`, plugins run on servers (`kind: external`, module `external`) over MCP, gRPC or a Unix socket,
//! and those of a manager are served to hosts elsewhere (module `serve`). Both understand CPEX 0.1.x.
//!
//! # Code that is not trusted
//!
//! With the feature `wasm`, plugins are files of WebAssembly (`kind: wasm`, module `wasm`) that reach nothing but what they
//! are given, within limits of time, memory and instructions.
//!
//! # When something goes wrong
//!
//! Nothing fails open. A plugin that fails, panics or takes too long is judged by its
//! [`on_error`](config::OnError): an [`InvokeError`] unless it says otherwise. One that cannot be loaded is listed by
//! [`Manager::load_failures`], denies if its entry says so, and ends the start if it is required. A manager that is not
//! running answers with an error. The [`Report`] of an outcome says what became of each plugin, and why.
//!
//! # What is told
//!
//! Through `tracing`, at debug level a span `cpex.hook` for each hook (fields `hook`, `plugins`, `decision`,
//! `duration_seconds`) and within it a span `cpex.plugin` for each plugin (`hook`, `plugin`, `mode`, `decision`,
//! `duration_seconds`). Denials, changes that were not taken, and failures are events with the fields `hook`, `plugin`,
//! `mode` and, in the words of the report, `outcome`. No event shows a payload or a setting; what a plugin gives as
//! the reason of a denial or as an error is its own.
//!
//! With the feature `metrics`, through the facade of that name:
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `cpex_invocations_total` | counter | `hook`, `decision`: `allowed`, `denied`, `failed` |
//! | `cpex_invocation_duration_seconds` | histogram | `hook` |
//! | `cpex_plugin_calls_total` | counter | `hook`, `plugin`, `outcome`: as in the [report](report::Line::outcome) |
//! | `cpex_plugin_duration_seconds` | histogram | `hook`, `plugin` |
//! | `cpex_background_calls_total` | counter | `hook`, `plugin`, `outcome` |
//! | `cpex_load_failures_total` | counter | `plugin`, `phase` |
//!
//! Install the recorder before the first hook is invoked.
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
#[cfg(feature = "external")]
pub mod external;
mod factory;
#[cfg(feature = "_foreign")]
mod foreign;
mod handler;

mod change;
mod failure;
mod lease;
pub mod lifecycle;
pub mod manager;
mod plan;
mod planning;
mod shared;
mod spelling;
mod unavailable;

mod call;
mod clock;
mod denial;
mod detached;
mod driver;
mod health;
mod host;
mod memory;

pub mod error;
pub mod outcome;
pub mod report;

#[cfg(feature = "external")]
pub mod serve;
#[cfg(feature = "wasm")]
pub mod wasm;

#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "no_metrics.rs"]
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

/// So is that of the pages about servers.
#[cfg(all(doctest, feature = "external"))]
mod external_pages {
    #[doc = include_str!("../../../docs/rust/external.md")]
    struct External;
}

/// So is that of the page about WebAssembly.
#[cfg(all(doctest, feature = "wasm"))]
mod wasm_pages {
    #[doc = include_str!("../../../docs/rust/wasm.md")]
    struct Wasm;
}

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
