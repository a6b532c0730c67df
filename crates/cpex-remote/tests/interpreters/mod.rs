//! Interpreters with peers that we did not write.

use std::env;
use std::path::PathBuf;

/// Those that `CPEX_PEERS` names, each of which has to be there.
pub(crate) fn interpreters() -> Vec<PathBuf> {
    let Some(named) = env::var_os("CPEX_PEERS") else {
        eprintln!("skipped: CPEX_PEERS names no interpreter");
        return Vec::new();
    };
    let named: Vec<_> = env::split_paths(&named).collect();
    for python in &named {
        assert!(python.is_file(), "CPEX_PEERS names {}, which is not there", python.display());
    }
    named
}
