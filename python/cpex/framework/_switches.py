"""Our own switches: variables of the environment, and what is read from `plugin_settings`."""

from __future__ import annotations

import os
from typing import Any, Final

from cpex.framework._compat import COMPATIBLE_RELEASE, VARIABLE
from cpex.framework.models import Config

_DEFAULT = "default"

SWITCHES: Final = {
    "isolation": ("always",),
    "execution_detail": ("full",),
    "extension_tiers": ("enforce", "warn", "off"),
}
"""The values that each switch takes, beside `default`."""

ALLOWED_DIRS: Final = "allowed_dirs"
STRICT_CONFIG: Final = "PLUGINS_STRICT_CONFIG"

SETTING_PLACES: Final = "_setting_places"
"""Where a configuration keeps, beside its fields, the file, line and column of its switches."""

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


def check_variables() -> None:
    """Refuse variables with a value they do not take, before anything is read or loaded.

    Raises:
        ValueError: If there is one: what is meant to protect must not be misspelt in silence.
    """
    is_strict()
    check_release()
    for name in SWITCHES:
        switch(None, name)


def check_release() -> None:
    """Refuse a release that `PLUGINS_COMPAT` cannot mean.

    Raises:
        ValueError: If it names another than the published one.
    """
    release = os.environ.get(VARIABLE, "").strip()
    if release not in ("", COMPATIBLE_RELEASE):
        raise ValueError(f"{VARIABLE} must be '{COMPATIBLE_RELEASE}' or unset, not {release!r}")


def is_strict() -> bool:
    """Tell whether suspicious keys are errors.

    Returns:
        What `PLUGINS_STRICT_CONFIG` says; False if it is unset or blank.

    Raises:
        ValueError: If it says neither yes nor no.
    """
    chosen = os.environ.get(STRICT_CONFIG, "").strip().lower()
    if chosen not in ("", *_TRUE, *_FALSE):
        raise ValueError(_not_one_of(STRICT_CONFIG, (_TRUE[0], _FALSE[0]), chosen))
    return chosen in _TRUE


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
        place = config.__dict__.get(SETTING_PLACES, {}).get(name)
        chosen, origin = plugin_settings(config).get(name, _DEFAULT), f"plugin_settings.{name}"
        origin = f"{place}: {origin}" if place else origin
    if chosen is False and "off" in values:  # how YAML reads the word without quotes
        chosen = "off"
    if chosen in ("", _DEFAULT):
        return None
    if chosen not in values:
        raise ValueError(_not_one_of(origin, (*values, _DEFAULT), chosen))
    return str(chosen)


def _not_one_of(origin: str, values: tuple[str, ...], chosen: object) -> str:
    from cpex.framework.loader._suggest import did_you_mean

    quoted = [f"'{value}'" for value in values]
    choices = " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
    return f"{origin} must be {choices}, not {chosen!r}{did_you_mean(chosen, values)}"
