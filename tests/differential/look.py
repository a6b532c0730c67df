"""Ways to look into a case and into an observation."""

from collections.abc import Iterator
from typing import Any

from .case import LEGACY_MODES, Observation, Plugin, Step


def mode_of(plugin: Plugin) -> str:
    """Returns the mode that a plugin runs in; 0.1.4 still knows the old names."""
    return LEGACY_MODES.get(plugin["mode"], plugin["mode"])


def steps_of(plugin: Plugin) -> Iterator[Step]:
    """Yields the steps of all scripts."""
    for script in plugin["scripts"]:
        yield from script


def calls_of(noticed: Observation) -> list[Observation]:
    """Returns what was noticed of each call; nothing if the plugins could not be loaded."""
    calls: list[Observation] = noticed.get("calls", [])
    return calls


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Yields `value` and all in it that is a JSON object."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def models_in(value: Any, name: str) -> Iterator[dict[str, Any]]:
    """Returns the dumps of models of type `name` anywhere in `value`."""
    return (found for found in walk(value) if found.get("$") == name and "fields" in found)
