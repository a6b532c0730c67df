//! What all that speaks HTTP shares: where servers are, how connections are made, taken and ended.

mod addresses;
mod config;
mod connector;
mod listener;
mod reach;

mod access;
mod body;
mod connections;
mod identity;

pub use access::Access;
pub(crate) use access::{Denied, Guard};
pub(crate) use body::{BoxBody, keep};
pub use config::{Limits, MAX_MESSAGE, Plaintext, Target};
pub(crate) use connections::{Connections, Door, Versions};
pub(crate) use connector::Connector;
#[cfg(feature = "grpc")]
pub(crate) use connector::{NotConnected, Stream};
pub use identity::{ClientName, InvalidClientName};
pub(crate) use listener::Listener;
pub use listener::StartError;
pub use reach::Reach;
