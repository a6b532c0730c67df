//! Plugins over MCP, the Model Context Protocol.
//!
//! A server has three tools: `get_plugin_configs`, `get_plugin_config` and `invoke_hook`. They are called over
//! streamable HTTP (TCP, TLS or a Unix socket) or over the standard streams of a child process.
//!
//! What is said of the protocol here is the little that calling tools needs. Payloads are never parsed into a tree,
//! so numbers stay as they were written, a large message costs its own size, and nothing of it comes into a log.

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
mod pool;
mod program;
mod question;

pub use client::Client;
pub use config::{ClientConfig, Endpoint, Http, ServerConfig, Sessions, StdioConfig};
pub use program::{Launch, Program};
pub use server::Server;
pub use stdio::serve_stdio;

pub use crate::http::{Access, Limits, MAX_MESSAGE, Plaintext, StartError, Target};

/// HTTP/1.1 and HTTP/2, as TLS calls them.
const SERVER_PROTOCOLS: &[&[u8]] = &[b"h2", b"http/1.1"];

/// HTTP/1.1, as TLS calls it.
const CLIENT_PROTOCOLS: &[&[u8]] = &[b"http/1.1"];
