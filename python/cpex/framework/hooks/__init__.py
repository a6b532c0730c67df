"""Hooks: their names, payloads, results, and the registry that ties them together."""
