//! Plugins over gRPC.
//!
//! HTTP/2 ties every reply to its call, so calls share one connection, and a call that is given up is reset alone.

mod client;
mod config;
mod line;

mod authority;
mod health;
mod server;
mod service;
mod turns;

pub use client::Client;
pub use config::{ClientConfig, ServerConfig};
pub use server::Server;

pub use crate::http::{
    Access, ClientName, InvalidClientName, Limits, MAX_MESSAGE, Plaintext, StartError, Target,
};

/// HTTP/2, as TLS calls it.
const PROTOCOLS: &[&[u8]] = &[b"h2"];
