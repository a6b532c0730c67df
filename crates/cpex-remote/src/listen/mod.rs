//! Where servers listen.

mod error;
mod socket_file;

pub use error::BindError;
pub(crate) use socket_file::{SocketFile, listen};
