"""Builds messages and looks at them, on whichever CPEX this interpreter has: a JSON line in, a JSON line out.

Knows `cpex.framework` and the standard library only, so that it runs beside the published package as well.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from cpex.framework.cmf.message import ContentType, Message
from cpex.framework.cmf.view import MessageView, iter_views
from cpex.framework.extensions import Extensions

# B4: ours has one more.
MEMBERS = sorted(name for name in dir(MessageView) if not name.startswith("_") and name != "text")
_PROBES: dict[str, Callable[[MessageView, str], Any]] = {
    "get_arg": lambda view, word: view.get_arg(word, "none"),
    "has_arg": lambda view, word: view.has_arg(word),
    "get_property": lambda view, word: view.get_property(word, "none"),
    "get_header": lambda view, word: view.get_header(word, "none"),
    "has_header": lambda view, word: view.has_header(word),
    "has_role": lambda view, word: view.has_role(word),
    "has_permission": lambda view, word: view.has_permission(word),
    "has_label": lambda view, word: view.has_label(word),
    "matches_uri_pattern": lambda view, word: view.matches_uri_pattern(word),
}


def revive(value: Any) -> Any:
    """Turns what JSON cannot hold, written as an object with one key, into what it stands for."""
    if isinstance(value, dict):
        if len(value) == 1:
            ((kind, content),) = value.items()
            if kind == "$bytes":
                return bytes.fromhex(content)
            if kind == "$set":
                return set(content)
            if kind == "$type":
                return ContentType(content)
        return {key: revive(item) for key, item in value.items()}
    return [revive(item) for item in value] if isinstance(value, list) else value


def show(value: Any) -> Any:
    """Writes a value down with its type."""
    if isinstance(value, Enum):
        return {"$": type(value).__name__, "value": value.value}
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, (set, frozenset)):
        return {"$": type(value).__name__, "items": sorted(map(repr, value))}
    if isinstance(value, Mapping):
        return {"$": type(value).__name__, "items": [[show(key), show(item)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"$": type(value).__name__, "items": [show(item) for item in value]}
    if hasattr(value, "model_dump"):
        return {"$": type(value).__name__, "fields": show(value.model_dump())}
    return {"$": type(value).__name__, "repr": repr(value)}


def failure(error: Exception) -> dict[str, str]:
    """Writes an exception down, without the address of its documentation."""
    return {"raised": type(error).__name__, "text": re.sub(r"errors\.pydantic\.dev/\S+", "", str(error))}


def attempt(ask: Callable[..., Any], *arguments: Any) -> Any:
    """Answers a question, or tells the exception."""
    try:
        return show(ask(*arguments))
    except Exception as error:
        return failure(error)


def look(view: MessageView, words: list[str]) -> dict[str, Any]:
    """Asks a view everything there is to ask."""
    seen: dict[str, Any] = {"repr": attempt(repr, view), "has_content": attempt(view.has_content)}
    for name in MEMBERS:
        if not callable(getattr(MessageView, name)):
            seen[name] = attempt(getattr, view, name)
    for name, probe in _PROBES.items():
        seen[name] = [attempt(probe, view, word) for word in words]
    for content in (True, False):
        for context in (True, False):
            seen[f"to_dict {content} {context}"] = attempt(view.to_dict, content, context)
        seen[f"to_opa_input {content}"] = attempt(view.to_opa_input, content)
    return seen


def observe(case: Any) -> dict[str, Any]:
    """Builds a message and looks at it and its parts."""
    try:
        message = Message.model_validate(revive(case["message"]))
        extensions = Extensions.model_validate(revive(case["extensions"])) if case["extensions"] is not None else None
    except Exception as error:
        return {"invalid": failure(error)}
    return {
        "message": {
            "repr": attempt(repr, message),
            "python": attempt(message.model_dump),
            "json": attempt(message.model_dump_json),
            "unset": attempt(lambda: message.model_dump(exclude_unset=True)),
            "again": attempt(lambda: Message.model_validate(message.model_dump()) == message),
            "from JSON": attempt(lambda: Message.model_validate_json(message.model_dump_json())),
        },
        "views": [look(view, case["words"]) for view in iter_views(message, case["hook"], extensions)],
        "method": [attempt(repr, view) for view in message.iter_views(case["hook"], extensions)],
    }


def main() -> None:
    """Answers every line of standard input until it ends."""
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        try:
            answer = json.dumps(observe(json.loads(line)))
        except Exception as error:
            answer = json.dumps({"harness": f"{type(error).__name__}: {error}"})
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
