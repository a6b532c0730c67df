"""Plugins in WebAssembly: the plugin of `examples/wasm-plugin`, as cargo makes it."""
