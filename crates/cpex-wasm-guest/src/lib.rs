//! CPEX plugins that compile to WebAssembly.
//!
//! Such a plugin runs in the process of a host that need not trust it: it reaches what it is given with a call and the
//! host's log, and nothing else. A type becomes one with [`Plugin`] and [`export!`], in a crate of type `cdylib`:
//!
//! ```
//! use cpex_wasm_guest::{Call, Failure, Plugin, Reply, Violation, export};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! struct Settings {
//!     tools: Vec<String>,
//! }
//!
//! struct Denied(Vec<String>);
//!
//! #[derive(Deserialize)]
//! struct Tool {
//!     name: String,
//! }
//!
//! impl Plugin for Denied {
//!     type Settings = Settings;
//!
//!     fn start(settings: Settings) -> Result<Self, String> {
//!         Ok(Self(settings.tools))
//!     }
//!
//!     fn invoke(&mut self, call: &Call) -> Result<Reply, Failure> {
//!         let tool: Tool = call.payload()?;
//!         Ok(match self.0.contains(&tool.name) {
//!             true => Reply::deny(Violation::new("TOOL_DENIED", "not on the list")),
//!             false => Reply::allow(),
//!         })
//!     }
//! }
//!
//! export!(Denied);
//! ```
//!
//! `cargo build --release --target wasm32-unknown-unknown` makes the file for `config.module` of an entry of kind `wasm`.
//! Other tools want a component: `wasm-tools component new` makes one of the same file.
//!
//! A plugin that panics traps: the host judges that by `on_error` of its entry, and the log says where it was.

mod call;
mod reply;

pub mod log;

#[doc(hidden)]
pub mod export;

pub use call::{Call, Context, GlobalContext};
pub use reply::{Failure, Reply, Violation};

use serde::de::DeserializeOwned;

/// A plugin. Its host asks one thing at a time of it, and says with `reuse` whether it is asked more than once.
pub trait Plugin: Sized + 'static {
    /// The `config` that an entry has for it. `serde_json::Value` takes any.
    type Settings: DeserializeOwned;

    /// Makes it of its settings.
    ///
    /// # Errors
    /// If it cannot work with them: it is not loaded, and this says why.
    fn start(settings: Self::Settings) -> Result<Self, String>;

    /// Runs a hook.
    ///
    /// # Errors
    /// If there is no answer; what that means is up to `on_error` of the entry.
    fn invoke(&mut self, call: &Call) -> Result<Reply, Failure>;
}

/// The page of the documentation, whose plugin is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/wasm.md")]
mod guide {}
