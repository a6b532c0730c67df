//! The host's log. Lines end after about two thousand characters, and too many are left out: a plugin cannot flood it.
//! In the tests of a plugin, which have no host, they go to the standard error.

use crate::export::bindings::cpex::plugin::log::Level;

#[cfg(target_family = "wasm")]
use crate::export::bindings::cpex::plugin::log::write;

#[cfg(not(target_family = "wasm"))]
fn write(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}

/// For whoever looks for a mistake.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// As it should be, and worth a line.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Somebody should know.
pub fn warning(message: &str) {
    write(Level::Warning, message);
}

/// Something is wrong.
pub fn error(message: &str) {
    write(Level::Error, message);
}
