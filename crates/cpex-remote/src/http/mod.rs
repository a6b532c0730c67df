//! What all that speaks HTTP shares: where servers are, how connections are made, taken and ended.

mod config;
mod connector;
mod listener;

mod access;
mod body;
mod calls;
mod connections;
#[cfg(feature = "grpc")]
mod gathered;
mod identity;
mod intake;

pub use access::Access;
pub(crate) use access::{Denied, Guard};
pub(crate) use body::{BoxBody, keep};
pub use config::{Limits, MAX_MESSAGE, Plaintext, Target};
pub(crate) use connections::{Connections, Door, Versions};
pub(crate) use connector::Connector;
#[cfg(feature = "grpc")]
pub(crate) use connector::{NotConnected, Stream};
#[cfg(feature = "grpc")]
pub(crate) use gathered::Gathered;
pub use identity::{ClientName, InvalidClientName};
#[cfg(feature = "mcp")]
pub(crate) use intake::Share;
pub(crate) use intake::{Intake, NotTaken};
pub(crate) use listener::Listener;
pub use listener::StartError;
