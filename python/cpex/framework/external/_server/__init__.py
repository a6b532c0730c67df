"""Plugins behind the servers of the Rust core: where they listen, how calls reach them, from start to stop."""
