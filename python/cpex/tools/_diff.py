"""What a pipeline changed in a payload, in a form that can be shown: removed text is never repeated in full."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, get_args

from pydantic import BaseModel

_TOKEN = re.compile(r"\w+|\s+|.", re.DOTALL)
_MAX_TOKENS = 1500
_SHOWN = 48
_ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, shortened for display.

    Attributes:
        path: The field: `args.query`, `result.content[0].text`.
        old: What was there: its first two characters and its length, never the whole; empty if it was added.
        new: What is there now, shortened; its length where much is different; empty if it was removed.
    """

    path: str
    old: str
    new: str


def snapshot(value: Any) -> Any:
    """Returns a copy of the data in a payload that later edits do not reach."""
    match value:
        case BaseModel():
            return snapshot(value.model_dump(warnings=False))
        case dict():
            return {key: snapshot(item) for key, item in value.items()}
        case list() | tuple():
            return [snapshot(item) for item in value]
    return value


def returned_part(model: type[BaseModel], returned: Any) -> str | None:
    """Names the part of a payload that plugins return: at some hooks it is not the payload, but its headers.

    Args:
        model: What the hook is about.
        returned: What a plugin returned.

    Returns:
        The last field of that type, which at a response is the response's; empty if it is something else altogether;
        None if it is the whole payload.
    """
    if isinstance(returned, model):
        return None
    given = type(returned)
    fields = [name for name, field in model.model_fields.items() if given in _types(field.annotation)]
    return fields[-1] if fields and issubclass(given, BaseModel) else ""


def _types(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *get_args(annotation))


def diff(before: Any, after: Any, path: str = "") -> list[Change]:
    """Compares two snapshots.

    Args:
        before: The data that went in.
        after: The data that came out.
        path: The field that both are; empty for the whole.

    Returns:
        The differences, in the order of the fields; empty if nothing changed.
    """
    return list(_walk(path, before, after))


def _walk(path: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = f"{path}.{key}" if path else str(key)
            yield from _walk(inner, before.get(key, _ABSENT), after.get(key, _ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else _ABSENT
            new = after[index] if index < len(after) else _ABSENT
            yield from _walk(f"{path}[{index}]", old, new)
    elif isinstance(before, str) and isinstance(after, str):
        for removed, inserted in _text_changes(before, after):
            yield Change(path, _masked(removed), _shortened(inserted))
    elif before is not after and (type(before) is not type(after) or before != after):
        yield Change(path, _masked(before), _shortened(after))


def _text_changes(before: str, after: str) -> Iterator[tuple[str, str]]:
    if before == after:
        return
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    if len(old) + len(new) > _MAX_TOKENS:
        inserted = "".join(new)
        yield "".join(old), inserted if len(inserted) <= _SHOWN else _length(inserted)
        return
    # A single equal token between two differences, such as the space inside a card number, is part of the change.
    previous: tuple[int, int, int, int] | None = None
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        if previous is not None and i1 - previous[1] > 1:
            yield "".join(old[previous[0] : previous[1]]), "".join(new[previous[2] : previous[3]])
            previous = None
        previous = (i1, i2, j1, j2) if previous is None else (previous[0], i2, previous[2], j2)
    if previous is not None:
        yield "".join(old[previous[0] : previous[1]]), "".join(new[previous[2] : previous[3]])


def _masked(value: Any) -> str:
    match value:
        case _ if value is _ABSENT:
            return ""
        case None | bool():
            return _shortened(value)
        case dict():
            return f"{{{len(value)} fields}}"
        case list():
            return f"[{len(value)} items]"
        case "":
            return ""
    text = str(value)
    return f"{_one_line(text[:2]) if len(text) > 4 else ''}••• ({_length(text)})"


def _length(text: str) -> str:
    return f"{len(text):,} characters" if len(text) > 1 else "1 character"


def _shortened(value: Any) -> str:
    match value:
        case _ if value is _ABSENT:
            return ""
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return f"{{{', '.join(map(str, value))}}}"[:_SHOWN]
        case list():
            return f"[{len(value)} items]"
    text = _one_line(str(value))
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _one_line(text: str) -> str:
    return text.replace("\n", "⏎").replace("\r", "").replace("\t", " ")
