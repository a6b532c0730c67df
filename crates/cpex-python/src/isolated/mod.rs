//! Isolated plugins: the door to `cpex-isolated`.

mod venv;

pub(crate) use venv::{
    BuiltEnvironment, ask_interpreter, build_environment, hold_environments, requirements_files,
};
