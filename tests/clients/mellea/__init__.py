"""Mellea, a library for generative programs, with plugins that its `hooks` extra runs on CPEX."""
