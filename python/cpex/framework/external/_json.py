"""JSON of payloads and contexts, and what comes back of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from cpex import _core
from cpex.framework._signature import plugin_error
from cpex.framework.models import PluginContext

_UNWRITABLE = (PydanticSerializationError, ValueError, TypeError, RecursionError)
_DEEPEST = 64
_NOT_FINITE = "NaN and Infinity have no JSON"


def dumped(model: BaseModel, what: str, plugin: str, drops_none: bool, kind: str = "External") -> bytes:
    """Write a model as JSON.

    Args:
        model: The model.
        what: What it is, for messages.
        plugin: Name of the plugin that it is for.
        drops_none: Whether fields that are None are left out.
        kind: What kind of plugin that is, for messages.

    Returns:
        The JSON.

    Raises:
        PluginError: If something in it has no JSON; the message says where, never what.
    """
    _core.complete(model)
    try:
        text = model.__pydantic_serializer__.to_json(model, exclude_none=drops_none, warnings=False)
        check_numbers(model, what, text)
        return text
    except _UNWRITABLE as error:
        path, culprit = _culprit(model, what)
        why = _NOT_FINITE if isinstance(culprit, float) else "it has no JSON"
        message = f"{kind} plugin '{plugin}': {path} of type {type(culprit).__name__} cannot be sent: {why}"
        raise plugin_error(message, plugin, "NOT_SENDABLE") from (error if isinstance(error, RecursionError) else None)


def check_numbers(model: BaseModel, what: str, text: bytes) -> None:
    """Check that no number of a model became `null` when it was written.

    Args:
        model: The model.
        what: What it is, for messages.
        text: Its JSON.

    Raises:
        ValueError: If one did; the message says where it is.
    """
    if b"null" in text and not _core.is_finite(model):
        raise ValueError(f"{_culprit(model, what)[0]}: {_NOT_FINITE}")


def _culprit(value: Any, path: str) -> tuple[str, Any]:
    """Find what has no JSON: its path, and the value."""
    for _ in range(_DEEPEST):
        found = next(((below, part) for below, part in _parts(value, path) if not _is_writable(part)), None)
        if found is None:
            break
        path, value = found
    return path, value


def _parts(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, BaseModel):
        return [(f"{path}.{name}", getattr(value, name, None)) for name in type(value).model_fields]
    if isinstance(value, dict):
        return [(f"{path}.{key}" if isinstance(key, str) else f"{path}[?]", part) for key, part in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [(f"{path}[{at}]", part) for at, part in enumerate(value)]
    return []


def _is_writable(value: Any) -> bool:
    try:
        to_json(value)
    except _UNWRITABLE:
        return False
    return _core.is_finite(value)


def problems_of(error: ValidationError, what: str) -> str:
    """Say what is wrong with an answer, without what is in it.

    Args:
        error: What pydantic found.
        what: What was read.

    Returns:
        The path and the problem of each finding.
    """
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, (what, *each['loc'])))}: {each['msg']}" for each in found)


def write_back(context: PluginContext, sent: bytes, left: bytes, tells_empty_state: bool) -> None:
    """Write into a context what a plugin has changed in it elsewhere: keys it added, changed or deleted.

    What it left alone stays the object it is, although on its way it was JSON.

    Args:
        context: The context.
        sent: As it was sent.
        left: As it came back.
        tells_empty_state: Whether an empty global state means that it is empty.

    Raises:
        ValueError: If what came back is no context; nothing is written then.
    """
    before, after = from_json(sent), from_json(left)
    shared = context.global_context
    before_global, after_global = before["global_context"], _object(after, "global_context")
    states = [
        (context.state, before["state"], _object(after, "state")),
        (context.metadata, before["metadata"], _object(after, "metadata")),
    ]
    state = _object(after_global, "state")
    if state or tells_empty_state:
        states.append((shared.state, before_global["state"], state))
    for target, old, new in states:
        for key, value in new.items():
            if key not in old or old[key] != value:
                target[key] = value
        for key in old.keys() - new.keys():
            target.pop(key, None)


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"context: {name} is no object")
    return value
