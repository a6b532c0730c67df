from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def module() -> Path:
    """Build the plugin, where Rust compiles to WebAssembly."""
    if subprocess.run([ROOT / "scripts/wasm-target"], check=False).returncode:
        pytest.skip("Rust has no target wasm32-unknown-unknown here, and rustup cannot add it")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "tmp/wasm-plugin"
    command = ["cargo", "build", "--locked", "--release", "--quiet", "--target", "wasm32-unknown-unknown"]
    subprocess.run([*command, "--target-dir", target], cwd=ROOT / "examples/wasm-plugin", check=True)
    return target / "wasm32-unknown-unknown/release/wasm_plugin.wasm"
