//! Plugins over a Unix socket.
//!
//! A frame is a 4-byte big-endian length and a message. A client sends a frame and waits for one; there is no
//! identifier that would tie a reply to its request. So a connection whose exchange was given up, for whatever
//! reason, is never used again: the late reply would be taken for the next one's.

mod client;
mod config;
mod connection;
mod error;
mod frame;
mod request;
mod server;

pub use client::Client;
pub use config::{ClientConfig, Limits, ServerConfig};
pub use error::{ConnectionError, FrameError};
pub use frame::{MAX_FRAME, read_frame};
pub use server::Server;
