//! External plugins: those that run on a server, over MCP, gRPC or a Unix socket. Feature `external`.
//!
//! An entry of kind `external` is all there is to them: it says where the server is, in the words of the Python host.
//! What it does not say is as the server has it: hooks, mode, `on_error`, priority and conditions.
//!
//! ```
//! use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
//! use cpex::serve::{Server, unix};
//! use cpex::{Context, Manager, Reply, Violation, config::Config, plugin};
//!
//! struct NoShell;
//!
//! #[plugin]
//! impl NoShell {
//!     #[hook(TOOL_PRE_INVOKE)]
//!     fn check(&self, _: &ToolPreInvoke) -> Reply<ToolPreInvoke> {
//!         Reply::deny(Violation::new("TOOL_DENIED", "not here"))
//!     }
//! }
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let directory = tempfile::tempdir()?;
//! # let socket = directory.path().join("guards.sock");
//! let guards = Manager::builder().plugin("guard", NoShell).start().await?;
//! let server = Server::new(guards).unix(unix::ServerConfig::new(&socket))?;
//! tokio::spawn(server.serve(std::future::pending()));
//!
//! let socket = socket.display();
//! let yaml = format!("plugins: [{{name: guard, kind: external, required: true, unix_socket: {{path: {socket}}}}}]");
//! let manager = Manager::builder().config(Config::parse(&yaml, "plugins.yaml")?).start().await?;
//! let outcome = manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("shell"), &Context::new("req-1")).await?;
//! assert_eq!(outcome.violation.unwrap().code, "TOOL_DENIED");
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * A denial comes with all that it had on the server. What a plugin writes into its state and into what plugins share
//!   counts here as well.
//! * A server that cannot be reached at the start makes a load failure: `required: true` keeps the manager from starting
//!   then, and `on_missing: deny` lets the hooks deny. It is tried again by
//!   [`retry_failed`](crate::Manager::retry_failed).
//! * Later, whatever is not a proper reply to the call is a failure that the entry's `on_error` judges: a server that is
//!   down, slow, gone in the middle of a call, or talks nonsense. It is never read as an allow.
//! * A call that a server may have begun is not sent again, unless `repeat` says that the plugin is idempotent. One that did
//!   not reach it goes to another of `endpoints`, or of those that a name stands for.
//! * `timeout_ms` of the entry bounds the whole. A hook that is given up is given up on the server, too.
//! * Plugins are sent the extensions that the capabilities of the entry grant; those of the server count for nothing.

mod written;

mod config;

mod plugin;
mod server;

mod failure;

pub use crate::foreign::RemoteFailure;
pub use failure::Unanswered;
pub(crate) use plugin::make;
pub(crate) use written::{Given, Written};
