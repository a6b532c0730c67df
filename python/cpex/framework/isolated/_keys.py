"""The keys of an isolated plugin's `config` that are CPEX's, and those that nearly are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cpex import _core
from cpex.framework.loader._suggest import closest

from ._faults import SettingError

KEYS: Final = (
    "class_name",
    "script_path",
    "requirements_file",
    "environment",
    "workers",
    "pass_env",
    "start_timeout",
    "give_up_timeout",
    "hang_timeout",
    "idle_timeout",
    "memory_limit",
    "restart",
    "sandbox",
)
"""All others are the plugin's own."""

_CONTAINING: Final = frozenset({"environment", "memory_limit", "sandbox"})
"""A plugin would go without protection if one of them were not read."""

_NEAR: Final = 0.8


def misspelt_keys(settings: Mapping[Any, Any]) -> Iterator[SettingError]:
    """Find keys that are probably meant to be one of ours. Who has given that one, too, means what is written.

    Args:
        settings: `config` of an entry.

    Yields:
        What is wrong with each.
    """
    missing = [key for key in KEYS if key not in settings]
    for key in settings:
        if not isinstance(key, str) or key in KEYS:
            continue
        meant = _core.slip_of(key, missing)
        # Of the other keys, a plugin may well have one that two letters make another word: `orders`.
        if meant and (meant in _CONTAINING or closest(key, [meant], closeness=_NEAR)):
            own = f"if it is a setting of the plugin's own, give '{meant}' beside it"
            yield SettingError(f"config.{key}", f"CPEX does not read it; did you mean '{meant}'? ({own})")
