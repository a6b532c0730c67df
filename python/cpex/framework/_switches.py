"""Switches of a configuration: `plugin_settings` in the file, with a variable of the environment over it."""

from __future__ import annotations

import os

from cpex.framework.loader.config import plugin_settings
from cpex.framework.models import Config

_DEFAULT = "default"


def is_switched(config: Config | None, name: str, value: str) -> bool:
    """Tell whether a switch is set.

    Args:
        config: The configuration; None if there is none.
        name: The key under `plugin_settings`; the variable is `PLUGINS_` and the same in capitals.
        value: The one value, beside `default`, that the switch takes.

    Returns:
        True if it has that value.

    Raises:
        ValueError: If it has another: what is meant to protect must not be misspelt in silence.
    """
    variable = f"PLUGINS_{name.upper()}"
    chosen, origin = os.environ.get(variable, "").strip().lower(), variable
    if not chosen and config is not None:
        chosen, origin = plugin_settings(config).get(name, _DEFAULT), f"plugin_settings.{name}"
    if chosen not in ("", _DEFAULT, value):
        raise ValueError(f"{origin} must be '{value}' or '{_DEFAULT}', not {chosen!r}")
    return bool(chosen == value)
