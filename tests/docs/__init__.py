"""The documentation: every code block runs."""
