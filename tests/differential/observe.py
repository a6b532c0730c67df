"""Turns what happened into plain JSON without anything that may differ between two runs."""

import logging
from collections.abc import Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel, RootModel


def dump(value: Any) -> Any:
    """Returns `value` as JSON that tells types apart. `$` names the type of everything that JSON does not have."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, Enum):
        return {"$": type(value).__name__, "value": value.value}
    if isinstance(value, RootModel):
        return {"$": type(value).__name__, "root": dump(value.root)}
    if isinstance(value, BaseModel):
        return _dump_model(value)
    if isinstance(value, Mapping):
        items = {key if isinstance(key, str) else repr(key): dump(item) for key, item in value.items()}
        return items if type(value) is dict else {"$": type(value).__name__, "items": items}
    if isinstance(value, (list, tuple)):
        entries = [dump(item) for item in value]
        return entries if type(value) is list else {"$": type(value).__name__, "items": entries}
    if isinstance(value, (set, frozenset)):
        return {"$": type(value).__name__, "items": sorted(map(repr, value))}
    if isinstance(value, (float, bytes, str, int)):
        return {"$": type(value).__name__, "repr": repr(value)}
    if isinstance(value, BaseException):
        return tell(value)
    if hasattr(value, "__dataclass_fields__"):
        return {"$": type(value).__name__, **{name: _field(name, getattr(value, name)) for name in value.__dict__}}
    return {"$": type(value).__name__}


def _dump_model(model: BaseModel) -> dict[str, Any]:
    kind = type(model)
    fields = {name: _field(name, value) for name, value in model.__dict__.items()}
    dumped: dict[str, Any] = {"$": kind.__name__, "fields": fields, "set": sorted(model.model_fields_set)}
    if kind.__name__ == "PluginViolation":
        dumped["plugin_name"] = getattr(model, "plugin_name", None)
    return dumped


def _field(name: str, value: Any) -> Any:
    if name == "duration_ns":
        return "positive" if value > 0 else value
    if name == "background_tasks":
        return len(value)
    return dump(value)


_ATTRIBUTES = ("message", "error", "violation", "denial_outcome")


def tell(error: BaseException) -> dict[str, Any]:
    """Returns what a caller can see of an exception."""
    told: dict[str, Any] = {"$": type(error).__name__, "text": str(error), "args": dump(list(error.args))}
    for name in _ATTRIBUTES:
        if hasattr(error, name):
            told[name] = dump(getattr(error, name))
    if type(error).__name__ == "PluginViolationError":
        told["executions"] = dump(getattr(error, "executions", None))
    told["cause"] = None if error.__cause__ is None else f"{type(error.__cause__).__name__}: {error.__cause__}"
    told["context"] = None if error.__context__ is None else f"{type(error.__context__).__name__}: {error.__context__}"
    told["suppressed"] = error.__suppress_context__
    return told


class Listener(logging.Handler):
    """Keeps the warnings and errors of the framework and of the plugins."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")

    def take(self) -> list[str]:
        """Returns the lines since the last time and forgets them."""
        lines, self.lines = self.lines, []
        return lines


class Spans:
    """An observability provider that writes down how it was called.

    A span holds the arguments of its start and, once ended, those of its end. How spans of plugins that run side by
    side overlap is not told: that depends on how often the event loop goes round.
    """

    def __init__(self) -> None:
        self._spans: list[dict[str, Any]] = []
        self._taken = 0

    def start_span(self, *args: Any, **kwargs: Any) -> str:
        self._spans.append({"start": dump([list(args), kwargs]), "ends": []})
        return str(len(self._spans) - 1)

    def end_span(self, *args: Any, **kwargs: Any) -> None:
        span = self._spans[int(kwargs.pop("span_id"))]
        span["ends"].append(dump([list(args), kwargs]))

    def take(self) -> list[dict[str, Any]]:
        """Returns the spans that were started since the last time."""
        spans, self._taken = self._spans[self._taken :], len(self._spans)
        return spans
