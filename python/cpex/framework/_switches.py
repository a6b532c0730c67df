"""Switches of a configuration: `plugin_settings` in the file, with a variable of the environment over it."""

from __future__ import annotations

import os
from typing import Final

from cpex.framework.loader.config import plugin_settings
from cpex.framework.models import Config

_DEFAULT = "default"

SWITCHES: Final = {
    "isolation": ("always",),
    "execution_detail": ("full",),
    "extension_tiers": ("enforce", "warn", "off"),
}
"""The values that each switch takes, beside `default`."""


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
