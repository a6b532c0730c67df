"""Hooks: their names, payloads, results, and the registry that ties them together."""

from cpex.framework._lazy import submodules

__getattr__ = submodules(
    __name__,
    ("agents", "http", "identity", "message", "policies", "prompts", "registry", "resources", "tools"),
)
