//! The plugin of `examples/wasm-plugin`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Its file, once it is built; none where Rust cannot compile to WebAssembly.
pub(crate) fn module() -> Option<&'static Path> {
    static MODULE: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let has_target = Command::new(root.join("scripts/wasm-target")).status().expect("the script runs");
        has_target.success().then(|| built(&root.join("examples/wasm-plugin")))
    });
    if MODULE.is_none() {
        eprintln!("skipped: Rust has no target wasm32-unknown-unknown here, and rustup cannot add it");
    }
    MODULE.as_deref()
}

fn built(example: &Path) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm-plugin");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--release", "--quiet", "--target", "wasm32-unknown-unknown"])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(example)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .status();
    assert!(built.is_ok_and(|status| status.success()), "the plugin can be built");
    target.join("wasm32-unknown-unknown/release/wasm_plugin.wasm")
}
