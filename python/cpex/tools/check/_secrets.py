"""Secrets that stand in the file instead of in the environment."""

import re
from collections.abc import Iterator
from typing import Any

from ._codes import Code
from ._finding import Finding
from ._masking import KNOWN_FORM, PASSWORD, TOKEN
from ._reading import Location, Reading

_PLACEHOLDER = re.compile(r"[<\[{$%*]|\b(?:change.?me|example|dummy|placeholder|redacted|your)\b|^x+$", re.IGNORECASE)
_MIN_PASSWORD, _MIN_TOKEN = 6, 8
_MAX_DEPTH = 100
_HINT = "put it into a variable of the environment and write {{ env.NAME }}"


def secrets_in_clear(reading: Reading) -> Iterator[Finding]:
    """Finds values that look like secrets and do not come out of a template. The value is never repeated."""
    for at, value in _texts(reading.data, (), 0):
        key = next((str(part) for part in reversed(at) if isinstance(part, str)), "")
        if _looks_secret(key, value) and not _is_templated(reading, at, value):
            message = f"{key} looks like a secret that stands in the file"
            yield reading.finding(Code.SECRET_IN_CLEAR, at, message, _HINT, reading.plugin_at(at))


def _texts(value: Any, at: Location, depth: int) -> Iterator[tuple[Location, str]]:
    if depth > _MAX_DEPTH:
        return
    match value:
        case dict():
            for key, item in value.items():
                if isinstance(key, str):
                    yield from _texts(item, (*at, key), depth + 1)
        case list():
            for index, item in enumerate(value):
                yield from _texts(item, (*at, index), depth + 1)
        case str():
            yield at, value


def _looks_secret(key: str, value: str) -> bool:
    if KNOWN_FORM.search(value):
        return True
    if _PLACEHOLDER.search(value) or re.search(r"\s|^[./~]", value):
        return False
    if PASSWORD.search(key):
        return len(value) >= _MIN_PASSWORD
    has_both = re.search(r"\d", value) and re.search(r"[a-zA-Z]", value)
    return bool(TOKEN.search(key) and len(value) >= _MIN_TOKEN and has_both)


def _is_templated(reading: Reading, at: Location, value: str) -> bool:
    line, column = reading.positions.locate(at) or (1, 1)
    first = reading.source.line(line)[column - 1 :]
    rest = [reading.source.line(line + offset) for offset in range(1, value.count("\n") + 2)]
    return "{{" in first or ("\n" in value and any("{{" in text for text in rest))
