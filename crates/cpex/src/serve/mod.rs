//! Servers of plugins: the plugins of a [`Manager`](crate::Manager), called from other processes over MCP, gRPC and Unix
//! sockets. Feature `external`.
//!
//! Every plugin that is running is served: Rust plugins, built-in ones and external ones alike. Hosts in Python and Rust
//! reach them with `kind: external`, those of CPEX 0.1.x included. There is no Python in the process.
//!
//! ```
//! use cpex::serve::{Server, mcp, unix};
//! use cpex::{Json, Manager, Reply, Violation, plugin};
//!
//! struct Closed;
//!
//! #[plugin]
//! impl Closed {
//!     #[hook("door")]
//!     fn check(&self, _: &Json) -> Reply<Json> {
//!         Reply::deny(Violation::new("CLOSED", "come back tomorrow"))
//!     }
//! }
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let directory = tempfile::tempdir()?;
//! # let socket = directory.path().join("plugins.sock");
//! let manager = Manager::builder().plugin("closed", Closed).start().await?;
//! let server = Server::new(manager.clone())
//!     .mcp(mcp::ServerConfig::new(mcp::Target::Tcp("127.0.0.1:0".into())))
//!     .await?
//!     .unix(unix::ServerConfig::new(socket))?;
//! println!("MCP at http://{}/mcp", server.addresses()[0]);
//!
//! # let signal = std::future::ready(());
//! server.serve(signal).await?; // until a signal comes: then calls under way are finished
//! manager.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! * A call runs one plugin, under the mode and the `on_error` of its entry here: what audits or transforms blocks
//!   nothing, whatever the host says. Conditions and policies are the host's. A plugin out of service fails the call.
//! * Hosts are told a plugin's hooks, mode, `on_error`, priority, conditions and capabilities; not its own settings.
//! * Servers bind to this machine only, unless there is TLS or
//!   [`Plaintext::Anywhere`](cpex_remote::mcp::Plaintext::Anywhere); see [`mcp::Access`] for tokens and names.
//! * Over HTTP there are `/health`, `/ready` (is the manager running?) and `/metrics` ([`Server::metrics`]).

mod backend;
mod one;
mod report;
mod request;
mod server;
mod singles;

pub use cpex_remote::{BindError, Secret, grpc, mcp, tls, unix};
pub use server::{ServeError, Server};
