//! Plugins over MCP, the Model Context Protocol.
//!
//! A server has three tools: `get_plugin_configs`, `get_plugin_config` and `invoke_hook`. They are called over
//! streamable HTTP (TCP, TLS or a Unix socket) or over the standard streams of a child process.
//!
//! What is said of the protocol here is the little that calling tools needs. Payloads are never parsed into a tree,
//! so numbers stay as they were written, a large message costs its own size, and nothing of it comes into a log.
//!
//! `rmcp`, the official SDK, is not used, for as of 3.11 it
//! * writes every request and every result it serves into the log in full, at the level of `debug` (`service.rs`);
//! * reads a tool's arguments into a tree of `serde_json` values (`CallToolRequestParams`), whose integers beyond 64 bits
//!   become floats, unless the whole program is built with `arbitrary_precision`;
//! * has no limit for the sessions of a server over HTTP (`LocalSessionManager`): each costs memory until it has been idle
//!   for five minutes.
//!
//! A peer of ours may send an argument that MCP and CPEX 0.1.x do not know: the `extensions` of a call. A server announces
//! that it takes them in its answer to `initialize`, as `capabilities.experimental.cpex.features: ["extensions"]`, where
//! MCP lets servers announce what it does not know. No other server is sent them, and other clients leave the
//! announcement alone.

mod jsonrpc;
mod lines;
mod text;

mod config;

mod desk;
mod gate;
mod pending;
mod server;
mod sessions;
mod stdio;

mod child;
mod client;
mod events;
mod link;
mod place;
mod pool;
mod program;
mod question;

#[cfg(fuzzing)]
pub mod fuzzing;

pub use client::Client;
pub use config::{ClientConfig, Connections, Endpoint, Http, ServerConfig, Sessions, StdioConfig};
pub use program::{Launch, Program};
pub use server::Server;
pub use stdio::serve_stdio;

pub use crate::http::{
    Access, ClientName, InvalidClientName, Limits, MAX_MESSAGE, Plaintext, StartError, Target,
};

/// HTTP/1.1 and HTTP/2, as TLS calls them.
const SERVER_PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// HTTP/1.1, as TLS calls it.
const CLIENT_PROTOCOLS: &[&[u8]] = &[b"http/1.1"];
