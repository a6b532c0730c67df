//! Isolated plugins: how their environments are built, and both ends of the socket between a host and a worker.
//!
//! A call is written to the worker's socket by the thread that makes it. The event loop that waits reads the answer itself
//! ([`reading`]): no other thread has to wake up, and none has to wait for the interpreter.

mod venv;

mod client;
mod config;
mod failure;
mod reading;

mod line;

pub(crate) use client::IsolatedClient;
pub(crate) use config::size_in_bytes;
pub(crate) use line::{WorkerCall, WorkerLine};
pub(crate) use venv::{
    BuiltEnvironment, ask_interpreter, build_environment, hold_environments, requirements_files,
};
