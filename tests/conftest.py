"""Every test starts with no manager, the default settings and the built-in hooks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

import cpex.framework
from cpex.framework import PluginManager, get_hook_registry
from cpex.framework.settings import settings

# Loads the built-in hooks, once in a process: after the imports of a test module they would not be the first ones.
get_hook_registry().get_registered_hooks()


@pytest.fixture(autouse=True)
def clean_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a test leaves in process-wide state."""
    for name in os.environ:
        if name.upper().startswith("PLUGINS_"):
            monkeypatch.delenv(name)
    settings.cache_clear()
    registry = get_hook_registry()
    tables = _tables(registry)
    saved = [dict(table) for table in tables]
    yield
    PluginManager.reset()
    cpex.framework._plugin_manager = None
    settings.cache_clear()
    for table, content in zip(tables, saved, strict=True):
        table.clear()
        table.update(content)


def _tables(registry: object) -> list[dict[Any, Any]]:
    attributes = {**vars(type(registry)), **vars(registry)}
    return [value for value in attributes.values() if isinstance(value, dict)]
