"""Keys that nothing reads, keys that stand twice, and a file without plugins."""

from collections.abc import Iterator

from cpex.framework.constants import ISOLATED_VENV_PLUGIN_TYPE
from cpex.framework.isolated._keys import KEYS
from cpex.framework.loader import _known_keys as loader

from ._codes import Code
from ._finding import Finding
from ._reading import Reading

_CODES = {"unknown_key": Code.UNKNOWN_KEY, "duplicate_key": Code.DUPLICATE_KEY, "no_plugins": Code.NO_PLUGINS}


def suspicious_keys(reading: Reading) -> Iterator[Finding]:
    """Finds all of them, as the loader of an application does."""
    misplaced = _misplaced(reading)
    for kind, line, column, text in [*reading.suspicious, *loader.suspicious_keys(reading.data, reading.positions)]:
        message, _, hint = text.partition("; ")
        yield Finding(_CODES[kind], line, column, message, misplaced.get(message, hint))


def _misplaced(reading: Reading) -> dict[str, str]:
    """What to do with keys of an isolated plugin's `config` that stand beside it, by what is said of them."""
    return {
        f'unknown key "{key}" in plugins[{entry.index}]': f"{key} belongs under config:"
        for entry in reading.entries
        if entry.written("kind") == ISOLATED_VENV_PLUGIN_TYPE
        for key in KEYS
    }
