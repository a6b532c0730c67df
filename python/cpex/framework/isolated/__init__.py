"""Plugins that run in an environment and a process of their own: `kind: isolated_venv`."""
