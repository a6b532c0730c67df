//! Environments of plugins (semantics J: Z2–Z4), built by a stand-in for uv. The real installers are tested in
//! `tests/integration/test_isolated_environment.py`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod workshop;

mod build;
mod crash;
mod failure;
mod published;
