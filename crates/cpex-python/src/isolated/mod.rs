//! Isolated plugins: the host's side, whose calls a Python program waits for, and the worker's.
//!
//! A call is written to the worker's socket by the thread that makes it. The event loop that waits reads the answer itself
//! ([`reading`]): no other thread has to wake up, and none has to wait for the interpreter.

mod client;
mod config;
mod failure;
mod reading;

mod line;

pub(crate) use client::IsolatedClient;
pub(crate) use line::{WorkerCall, WorkerLine};
