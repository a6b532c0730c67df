//! The built-in plugins: written in Rust, run in place, without a coroutine and without converting the payload.

mod answer;
mod copies;
mod hook;
mod keep;
mod payload;
mod request;
mod texts;

pub(crate) use answer::Answered;
pub(crate) use hook::{Asked, Builtin, BuiltinHook, Neighbours};
pub(crate) use keep::Kept;
pub(crate) use request::Asking;
