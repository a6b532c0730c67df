//! Plugins that are asked with messages: those on a server, and those in a sandbox.

mod attached;
mod reply;
mod request;

mod failure;

pub(crate) use attached::{Attached, Foreign};
pub use failure::RemoteFailure;
pub(crate) use reply::Absent;
