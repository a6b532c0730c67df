//! Isolated plugins: an environment of their own ([`venv`]), and a process of their own ([`worker`]).

pub mod venv;
pub mod worker;
