"""Reads a recorded agent session: JSON Lines, one hook invocation a line."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cpex.framework import GlobalContext, PluginPayload, get_hook_registry
from cpex.framework.hooks.registry import hook_names, register_all_hooks
from cpex.framework.utils import coerce_nested

from ._problem import Problem, describe_error, describe_fields, json_type, nearest, unknown_fields

_SHAPE = 'a line is one object: {"hook": "tool_pre_invoke", "payload": {…}, "context": {…}}; context is optional'
_KEYS = ("hook", "payload", "context")
_ModelT = TypeVar("_ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One invocation as recorded.

    Attributes:
        line: Its line number in the session, from 1.
        hook: Name of the hook.
        payload: What the hook is invoked with.
        context: Who asked, and where.
        shares_contexts: The line names a request: plugins see what they stored for it in earlier lines.
    """

    line: int
    hook: str
    payload: PluginPayload
    context: GlobalContext
    shares_contexts: bool

    @property
    def subject(self) -> str:
        """The tool, prompt, resource, agent or path that the invocation is about; may be empty."""
        for name in ("name", "uri", "prompt_id", "agent_id", "target_name", "path", "permission"):
            value = getattr(self.payload, name, None)
            if isinstance(value, str):
                return value
        return ""


class _LineError(Exception):
    def __init__(self, what: str, hint: str = _SHAPE, column: int | None = None) -> None:
        super().__init__(what)
        self.what, self.hint, self.column = what, hint, column


def read_session(lines: Iterable[bytes], source: str) -> Iterator[Recorded | Problem]:
    """Reads invocations one by one; a line that cannot be read becomes a `Problem` and the rest goes on.

    Call it when the plugins are loaded: they may register hooks of their own.

    Args:
        lines: The raw lines; empty ones are skipped.
        source: Name of the session, for messages.

    Yields:
        An invocation or a problem for each line, in order.
    """
    register_all_hooks()
    for number, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        try:
            yield _parse(raw, number)
        except _LineError as error:
            place = f"{source}:{number}" if error.column is None else f"{source}:{number}:{error.column}"
            yield Problem(place, error.what, error.hint, line=number)


def _parse(raw: bytes, number: int) -> Recorded:
    entry = _decode(raw)
    for key in entry:
        if key not in _KEYS:
            raise _LineError(f"unknown key {key!r}", nearest(key, _KEYS) or _SHAPE)
    for key in ("hook", "payload"):
        if key not in entry:
            raise _LineError(f"{key!r} is missing")
    hook, context = entry["hook"], entry.get("context")
    if not isinstance(hook, str):
        raise _LineError(f"'hook' must be a string, got {json_type(hook)}")
    payload = _payload(hook, entry["payload"])
    if context is None:
        context = {}
    if not isinstance(context, dict):
        raise _LineError(f"'context' must be an object, got {json_type(context)}")
    named = "request_id" in context
    facts = _validated(GlobalContext, context if named else {"request_id": f"line-{number}", **context}, "context")
    return Recorded(number, hook, payload, facts, named)


def _decode(raw: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(raw.rstrip().decode("utf-8-sig"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise _LineError(f"not UTF-8 text: byte {error.start + 1} of the line", "save the session as UTF-8") from error
    except json.JSONDecodeError as error:
        raise _LineError(f"not JSON: {error.msg[:1].lower()}{error.msg[1:]}", column=error.colno) from error
    except (ValueError, RecursionError) as error:
        raise _LineError(f"not usable JSON: {error}") from error
    if not isinstance(entry, dict):
        raise _LineError(f"expected an object, got {json_type(entry)}")
    return entry


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _LineError(f"key {key!r} is given twice", "keep one: which of them counts differs between readers")
        found[key] = value
    return found


def _payload(hook: str, data: Any) -> PluginPayload:
    registry = get_hook_registry()
    model = registry.get_payload_type(hook)
    if model is None:
        known = sorted(hook_names())
        raise _LineError(f"unknown hook {hook!r}", nearest(hook, known) or f"known hooks: {', '.join(known)}")
    if hook == "resource_post_fetch" and isinstance(data, dict) and isinstance(data.get("content"), dict):
        # A gateway hands plugins a content object; they read `payload.content.text`.
        data = {**data, "content": coerce_nested(data["content"])}
    return _validated(model, data, "payload")


def _validated(model: type[_ModelT], data: Any, prefix: str) -> _ModelT:
    takes = f"{prefix} ({model.__name__}) takes {describe_fields(model)}"
    if isinstance(data, dict):
        for key in unknown_fields(model, data):
            suggestion = nearest(key, model.model_fields)
            raise _LineError(f"unknown field {prefix}.{key}", f"{suggestion} {takes}".strip())
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        raise _LineError("; ".join(describe_error(detail, prefix) for detail in details), takes) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise _LineError(f"{prefix}: {error}", takes) from error
