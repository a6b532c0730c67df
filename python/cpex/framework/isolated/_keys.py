"""The keys of an isolated plugin's `config` that are CPEX's, and those that nearly are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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


def _any(_: object) -> bool:
    return True


def _names_an_index(value: object) -> bool:
    return isinstance(value, str) and value.rstrip("/").endswith("simple")


def _names_a_profile(value: object) -> bool:
    return value in ("none", "default", "strict")


def _names_an_installer(value: object) -> bool:
    return value in ("auto", "uv", "pip")


_INSIDE: Final[Mapping[str, tuple[str, str, Callable[[object], bool]]]] = {
    "require_hashes": ("environment", "require_hashes", _any),
    "only_binary": ("environment", "only_binary", _any),
    "extra_index_urls": ("environment", "extra_index_urls", _any),
    "find_links": ("environment", "find_links", _any),
    "index_url": ("environment", "index_url", _names_an_index),
    "installer": ("environment", "installer", _names_an_installer),
    "profile": ("sandbox", "profile", _names_a_profile),
    "sandbox_profile": ("sandbox", "profile", _names_a_profile),
}
"""What can hardly be a plugin's own: the section it belongs into, its name there, and the values that make it sure."""


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


def misplaced_keys(settings: Mapping[Any, Any], section: str) -> Iterator[SettingError]:
    """Find keys that belong into a section of `config`. Who has given that one, too, means what is written.

    Args:
        settings: `config` of an entry.
        section: The section.

    Yields:
        What is wrong with each.
    """
    given = settings.get(section)
    for key, value in settings.items():
        belongs, name, is_sure = _INSIDE.get(str(key).lower().replace("-", "_"), ("", "", _any))
        if belongs != section or not is_sure(value):
            continue
        # A text is the profile of a sandbox.
        if not (isinstance(given, str) or (isinstance(given, Mapping) and name in given)):
            own = "if it is a setting of the plugin's own, give that one, too"
            yield SettingError(
                f"config.{key}", f"CPEX does not read it; it belongs under config.{section} as '{name}' ({own})"
            )
