//! CPEX plugins as WebAssembly: code that nobody has to trust, in the host's own process.
//!
//! A plugin is a component of the world in `wit/cpex-plugin.wit`, written in any language that makes one, or the core
//! module that `wit-bindgen` makes of it. It can reach what it is given with a call, and its host's log: no files, no
//! network, no clock, no environment. The crate knows neither a pipeline nor Python: a
//! [`Call`](cpex_remote::Call) goes in, a [`Reply`](cpex_remote::Reply) comes out, as with a plugin on a server.
//!
//! ```text
//! Settings ──► Plugin::load   (read · pin · compile · link: blocks, once)
//!                  │
//!              Plugin::start  (one instance: do its settings suit it?)
//!                  │
//! Call ──────► Plugin::invoke (an instance of the pool or a new one · limits · reply) ──► Reply | Fault
//! ```
//!
//! * **Where it runs.** Right where its future is polled, for about a millisecond at most: a guard is done by then. One
//!   that is not yields, again and again, so that it holds up nobody else on its thread.
//! * **Limits.** A call ends when its fuel or its memory does, or when its future is dropped: time is the host's. An
//!   instance that has failed in any way, or whose call was dropped, is never used again.
//! * **Isolation between calls.** Each call has an instance of its own, unless the entry says `reuse: true`.
//!
//! Whatever goes wrong is a [`Fault`], **never a reply**.

#![forbid(unsafe_code)]

mod settings;

mod clock;
mod engine;
mod module;

mod guest;
mod limits;
mod log;
mod pool;

mod plugin;

mod error;

pub use error::{ConfigError, Fault};
pub use plugin::Plugin;
pub use settings::Settings;
