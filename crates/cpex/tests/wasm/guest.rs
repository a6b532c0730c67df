//! The plugin of `examples/wasm-plugin`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Its file, once it is built.
pub(crate) fn module() -> &'static Path {
    static MODULE: LazyLock<PathBuf> = LazyLock::new(|| {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/wasm-plugin");
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm-plugin");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--locked", "--release", "--quiet", "--target", "wasm32-unknown-unknown"])
            .arg("--target-dir")
            .arg(&target)
            .current_dir(&example)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("RUSTFLAGS")
            .status();
        assert!(built.is_ok_and(|status| status.success()), "the plugin can be built");
        target.join("wasm32-unknown-unknown/release/wasm_plugin.wasm")
    });
    &MODULE
}
