//! Isolated plugins: the door to `cpex-isolated`.

mod venv;

pub(crate) use venv::{BuiltEnvironment, build_environment};
