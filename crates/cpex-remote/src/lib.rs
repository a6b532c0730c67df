//! CPEX plugins as services: a plugin runs in one process, its hooks are invoked from another.
//!
//! The crate knows neither a pipeline nor Python. What it moves is JSON text: a [`Call`] goes to a plugin, a
//! [`Reply`] comes back. A server hands each call to a [`Backend`]; a client is asked for replies. Neither looks
//! inside a payload, and none is parsed into a tree on the way.
//!
//! | module | what |
//! |---|---|
//! | [`wire`] | the messages as bytes, exactly as CPEX 0.1.x reads and writes them |
//! | `unix` (feature) | frames on a Unix socket |
//! | `grpc` (feature) | gRPC over TCP, TLS or a Unix socket |
//! | `mcp` (feature) | the Model Context Protocol: streamable HTTP over TCP, TLS or a Unix socket, and stdio |
//! | `balance` (comes with all of them) | one plugin on several servers: breakers, health checks, retries |
//! | `task` (comes with all of them) | tasks that run on the thread that wakes them |
//! | `tls` (comes with `grpc` and `mcp`) | certificates and keys from files |
//!
//! Whatever goes wrong between the two processes is an error, **never a reply**: a late answer, an answer of another
//! plugin, a broken frame or a silent peer ends the connection it came from.

#![forbid(unsafe_code)]

mod json;
mod message;

pub mod wire;

mod backend;
mod error;

#[cfg(any(feature = "_http", feature = "unix"))]
mod addresses;
#[cfg(any(feature = "_http", feature = "unix"))]
mod listen;
#[cfg(any(feature = "_http", feature = "unix"))]
mod reconnect;
#[cfg(feature = "tls")]
mod secret;
#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "_http")]
mod http;

#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "mcp")]
pub mod mcp;
#[cfg(feature = "unix")]
pub mod unix;

#[cfg(any(feature = "_http", feature = "unix"))]
pub mod balance;
#[cfg(any(feature = "_http", feature = "unix"))]
mod remote;
#[cfg(any(feature = "_http", feature = "unix"))]
pub mod task;

#[cfg(any(feature = "_http", feature = "unix"))]
pub use addresses::Addresses;
pub use backend::{Backend, End, Event, Failure, Refusal};
pub use error::{Delivery, RemoteError};
pub use json::{InvalidJson, Json};
#[cfg(any(feature = "_http", feature = "unix"))]
pub use listen::BindError;
pub use message::{Call, Outcome, PluginError, Reply};
#[cfg(any(feature = "_http", feature = "unix"))]
pub use remote::{Remote, RemoteConfig};
#[cfg(feature = "tls")]
pub use secret::Secret;
