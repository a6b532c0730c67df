"""What is read from `plugin_settings`: switches, with variables of the environment over them, and `allowed_dirs`."""

from __future__ import annotations

import os
from typing import Any, Final

from cpex.framework.models import Config

_DEFAULT = "default"

SWITCHES: Final = {
    "isolation": ("always",),
    "execution_detail": ("full",),
    "extension_tiers": ("enforce", "warn", "off"),
}
"""The values that each switch takes, beside `default`."""

ALLOWED_DIRS: Final = "allowed_dirs"


def plugin_settings(config: Config) -> dict[str, Any]:
    """Give the `plugin_settings` of a configuration.

    Args:
        config: A configuration.

    Returns:
        The section; empty if there is none.
    """
    return config.plugin_settings or {}


def allowed_dirs(config: Config) -> list[str]:
    """Read the roots that a configuration accepts for its `plugin_dirs`.

    Args:
        config: A configuration.

    Returns:
        The roots.

    Raises:
        ValueError: If it is no list of texts: of a single text, every letter would be a root, and `/` allows all.
    """
    roots = plugin_settings(config).get(ALLOWED_DIRS) or []
    if not isinstance(roots, list) or not all(isinstance(root, str) for root in roots):
        raise ValueError(f"plugin_settings.{ALLOWED_DIRS} must be a list of folders, such as [/opt/plugins]")
    return roots


def switch(config: Config | None, name: str) -> str | None:
    """Read a switch.

    Args:
        config: The configuration; None if there is none.
        name: One of `SWITCHES`: the key under `plugin_settings`; the variable is `PLUGINS_` and the same in capitals.

    Returns:
        The one it has; None for the default.

    Raises:
        ValueError: If it has another: what is meant to protect must not be misspelt in silence.
    """
    values = SWITCHES[name]
    variable = f"PLUGINS_{name.upper()}"
    chosen: object
    chosen, origin = os.environ.get(variable, "").strip().lower(), variable
    if not chosen and config is not None:
        chosen, origin = plugin_settings(config).get(name, _DEFAULT), f"plugin_settings.{name}"
    if chosen is False and "off" in values:  # how YAML reads the word without quotes
        chosen = "off"
    if chosen in ("", _DEFAULT):
        return None
    if chosen not in values:
        choices = " or ".join([", ".join(f"'{value}'" for value in values), f"'{_DEFAULT}'"])
        raise ValueError(f"{origin} must be {choices}, not {chosen!r}")
    return str(chosen)
