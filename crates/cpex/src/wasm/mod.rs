//! Plugins in WebAssembly, in entries of kind `wasm`: code that need not be trusted. Feature `wasm`.
//!
//! Such a plugin is a file: `config.module` of its entry, relative to the directory of the configuration. It reaches what
//! it is given with a call and the log, and nothing else. See the page on WebAssembly for how to write one.
//!
//! ```
//! use cpex::config::Config;
//! use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
//! use cpex::{Context, Manager};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let yaml = "plugins: [{name: guard, kind: wasm, hooks: [tool_pre_invoke], config: {module: guard.wasm}}]";
//! let manager = Manager::builder().config(Config::parse(yaml, "plugins.yaml")?).start().await?;
//! // There is no such file.
//! assert_eq!(manager.load_failures().await[0].name, "guard");
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * An entry names the hooks. One whose module cannot be read, is not the pinned one, is no plugin or imports anything
//!   but the log is not loaded, and says which field is wrong.
//! * A trap, too much memory or fuel, an answer that cannot be read: each is a failure that the entry's `on_error` judges,
//!   never an allow. What has failed is thrown away; the next call has a new instance.
//! * A call runs where the hook was invoked, for about a millisecond; then others get their turn, again and again, until it
//!   is done or `timeout_ms` is over.

mod plugin;

pub use crate::foreign::RemoteFailure;
pub(crate) use plugin::make;
