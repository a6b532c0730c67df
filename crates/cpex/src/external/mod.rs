//! External plugins: those that run on a server, over MCP, gRPC or a Unix socket. Feature `external`.

mod written;

mod config;

mod attached;
mod plugin;
mod reply;
mod request;
mod server;

mod failure;

pub use failure::RemoteFailure;
pub(crate) use plugin::make;
pub(crate) use written::{Given, Written};
