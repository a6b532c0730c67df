//! Environments of Python plugins: built once, for what is asked for today, or not at all.
//!
//! [`ensure`] gives a plugin the environment of a [`Recipe`]. What went into it is its fingerprint: requirements and
//! manifest by their content, the interpreter, the indexes, our version. As long as that stays the same, the
//! environment is found, not built.
//!
//! ```text
//! <plugin>/.venv/                  links into the environment built last, where CPEX 0.1.x and people look
//! <plugin>/.cpex/venvs/<one>/      an environment; whole if, and only if, the file `cpex-environment.json` is in it
//! <plugin>/.cpex/venv_cache/       what `.venv` was made from, as CPEX 0.1.x writes and reads it
//! <plugin>/.cpex/build.lock        held by who builds
//! ```
//!
//! An environment is built where it stays, as its scripts hold its path, and under a name that nobody has used. Its seal
//! is written last, after everything else has reached the disk: a build that is killed, or cut short by a power failure,
//! leaves a folder without a seal, which the next one removes. Who runs from an environment holds its [`Environment`], a
//! lock that dies with the process; what nobody holds is removed after the next build.

mod error;
mod fingerprint;
mod installer;
mod metadata;
mod recipe;
mod requirements;
mod run;
mod scrub;
mod store;
mod variables;

mod build;

pub use build::{Environment, Stop, Watcher, ensure, hold};
pub use error::{BuildError, Step};
pub use recipe::{Installer, Interpreter, Package, Recipe, Sources};
pub use requirements::requirements_files;
