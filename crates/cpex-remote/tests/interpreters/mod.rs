//! Interpreters with peers that we did not write.

use std::env;
use std::path::PathBuf;

/// Those that `CPEX_PEERS` names and that are there.
pub(crate) fn interpreters() -> Vec<PathBuf> {
    let named = env::var_os("CPEX_PEERS").unwrap_or_default();
    let found: Vec<_> = env::split_paths(&named).filter(|python| python.is_file()).collect();
    if found.is_empty() {
        eprintln!("skipped: CPEX_PEERS names no interpreter");
    }
    found
}
