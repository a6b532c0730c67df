//! The process of an isolated plugin: what is said to it, and what comes of it when it dies.
//!
//! ```text
//!    host                                       worker
//!    ── Hello (the plugin) ──────────────────►  loads it
//!    ◄────────────────── Ready, or Failed ────
//!    ── Call ─────────────────────────────────► runs the hook         many at a time
//!    ◄────────────────── Reply, or Failed ────
//!    ── Cancel ───────────────────────────────► gives it up
//!    ◄───────── Dropped (or the answer) ──────                        or it is killed
//!    ── Ping ─────────────────────────────────► its event loop turns
//!    ◄────────────────────────────── Pong ────                        or it is killed
//!    ── Shutdown ─────────────────────────────► ends                  or it is killed
//! ```
//!
//! [`Workers`] has the processes of one plugin: each is started when it is needed, watched, and started again when it has
//! ended. [`Line`] is the worker's end.
//!
//! Whatever goes wrong is an error, **never an answer**: an answer that nobody asked for ends the worker it came from.

mod frame;
mod message;

mod config;
mod ended;
mod error;

mod backlog;
mod connection;
mod contained;
mod output;
mod process;
mod said;
mod scratch;
mod waiting;

mod life;
mod line;
mod slot;
mod workers;

pub use config::{Bounds, Launch, Sandbox, Usual, WorkersConfig, environment};
pub use connection::Turned;
pub use ended::{Breach, Ended};
pub use error::WorkerError;
pub use frame::{Decoder, Frame, FrameError, Kind};
pub use life::{Asked, Worker, caller};
pub use line::{Line, LineError, Received};
pub use message::{Call, Message, PROTOCOL};
pub use output::LastWords;
pub use slot::{Changes, WorkerStatus};
pub use waiting::{Answer, Caller, NETWORK, Reader};
pub use workers::Workers;
