"""Spares a worker a tenth of its start, for which pydantic looks for plugins in all that is installed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator

from cpex.framework.isolated import _borrow

VARIABLE = "PYDANTIC_DISABLE_PLUGINS"
"""Tells pydantic not to look. What the plugin starts sees it, too."""

_METADATA = (".dist-info", ".egg-info")
_GROUP = b"[pydantic]"


def spare() -> None:
    """Have pydantic not look for its plugins, if there are none to be found. To be called before a model is built."""
    if not any(map(_has_plugin, _metadata())):
        os.environ.setdefault(VARIABLE, "__all__")


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
