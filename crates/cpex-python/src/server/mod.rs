//! Plugins in Python behind servers in Rust.
//!
//! Connections, framing and codecs belong to the thread of the [runtime](crate::remote), which asks the interpreter
//! for nothing: calls pile up in an [`inbox`], and a byte on a socket wakes the event loop, once for all that have
//! come. The loop takes them, runs the plugins, and gives each [`call`] its answer, which goes back without it.

mod backend;
mod call;
mod inbox;
mod listen;
mod meters;
mod notices;
mod service;

pub(crate) use call::PluginCall;
pub(crate) use service::PluginService;
