"""Spares a worker a tenth of its start, for which pydantic looks for plugins in all that is installed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from cpex.framework.isolated import _borrow

SEARCH: Final = "pydantic.plugin._loader"
"""The module of pydantic that searches. To import it takes longer than to search."""

_METADATA: Final = (".dist-info", ".egg-info")
_GROUP: Final = b"[pydantic]"


class _NoSearch(ModuleType):
    """Stands in for that module, and makes room for it when somebody wants more of it."""

    @staticmethod
    def get_plugins() -> tuple[()]:
        """Find no plugins."""
        return ()

    def __getattr__(self, name: str) -> Any:
        # The import system looks for names like these.
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(SEARCH) is self:
            del sys.modules[SEARCH]
        return getattr(import_module(SEARCH), name)


def spare() -> None:
    """Have pydantic not search, if there is nothing to be found. To be called before a model is built."""
    if SEARCH not in sys.modules and not any(map(_has_plugin, _metadata())):
        sys.modules[SEARCH] = _NoSearch(SEARCH)


def _metadata() -> Iterator[str]:
    """The metadata of all distributions that can be found."""
    borrowed = json.loads(os.environ.get(_borrow.VARIABLE, "{}"))
    yield from borrowed.get("distributions", {}).values()
    for folder in (*sys.path, *filter(None, [borrowed.get("plugin")])):
        try:
            names = os.listdir(folder or ".")
        except NotADirectoryError:
            # An archive; pydantic finds what is in it.
            yield folder
        except OSError:
            continue
        else:
            yield from (os.path.join(folder, name) for name in names if name.endswith(_METADATA))


def _has_plugin(metadata: str) -> bool:
    """Whether it tells of a plugin, or could."""
    try:
        with open(os.path.join(metadata, "entry_points.txt"), "rb") as file:
            return _GROUP in file.read()
    except FileNotFoundError:
        return False
    except OSError:
        return True
