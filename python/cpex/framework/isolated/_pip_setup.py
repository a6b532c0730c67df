"""Whether pip is set up to use a package index that uv knows nothing of."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_OPTIONS: Final = ("index-url", "extra-index-url", "no-index")
_OF_PIP: Final = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX")
_OF_UV: Final = ("UV_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_INDEX_URL", "UV_NO_INDEX")


def only_pip_has_an_index() -> bool:
    """Tell whether pip would look for packages where uv would not.

    Returns:
        True if variables or a configuration file of pip name an index, and no variable of uv does.
    """
    if any(os.environ.get(name) for name in _OF_UV):
        return False
    return any(os.environ.get(name) for name in _OF_PIP) or any(map(_names_an_index, _files()))


def _files() -> Iterator[Path]:
    """List the files that pip reads."""
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    home, name = Path.home(), "pip.ini" if os.name == "nt" else "pip.conf"
    yield Path(sys.prefix, name)
    yield home / (".pip" if os.name != "nt" else "pip") / name
    if os.name == "nt":
        yield Path(os.environ.get("APPDATA", home), "pip", name)
    else:
        yield Path(os.environ.get("XDG_CONFIG_HOME", home / ".config"), "pip", name)
        yield from (Path("/etc", name), Path("/etc/xdg/pip", name))
    if sys.platform == "darwin":
        yield home / "Library/Application Support/pip" / name
    if named:
        yield Path(named)


def _names_an_index(path: Path) -> bool:
    if not os.path.exists(path):
        return False
    # Slow to import, and few have such a file.
    import configparser

    settings = configparser.RawConfigParser()
    try:
        settings.read(path, encoding="utf-8")
    except (OSError, UnicodeDecodeError, configparser.Error):
        # Pip says what is wrong with it.
        return True
    sections = ("global", "install")
    return any(settings.has_option(section, option) for section in sections for option in _OPTIONS)
