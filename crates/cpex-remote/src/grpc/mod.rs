//! Plugins over gRPC.
//!
//! HTTP/2 ties every reply to its call, so calls share one connection, and a call that is given up is reset alone.

mod client;
mod config;
mod connector;

mod authority;
mod connections;
mod server;
mod service;

pub use client::Client;
pub use config::{ClientConfig, Limits, MAX_MESSAGE, Plaintext, ServerConfig, Target};
pub use server::{Server, StartError};
