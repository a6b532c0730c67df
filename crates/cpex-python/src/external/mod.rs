//! External plugins: clients whose calls a Python program waits for.
//!
//! Payloads, contexts and results pass through as JSON bytes; pydantic writes and reads them.

mod client;
mod config;
mod failure;
mod finite;
mod tally;

pub(crate) use client::ExternalClient;
pub(crate) use finite::is_finite;
