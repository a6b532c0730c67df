//! The built-in plugins: written in Rust, run in place, without a coroutine and without converting the payload.

mod answer;
mod copies;
mod entry;
mod hook;
mod keep;
mod objects;
mod payload;
mod request;
mod texts;

pub(crate) use answer::Answered;
pub(crate) use entry::Builtin;
pub(crate) use hook::{Asked, BuiltinHook, Neighbours};
pub(crate) use keep::{Kept, give_up};
pub(crate) use request::Asking;
