//! Isolated plugins: an environment of their own ([`venv`]), and a process of their own ([`worker`]).

#![forbid(unsafe_code)]

pub mod venv;
pub mod worker;
