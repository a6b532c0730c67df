"""What was probably meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from cpex.framework.extensions.tiers import Capability

_QUOTED = re.compile(r"'([^']*)'")
_HOOK_CLOSENESS = 0.85
_CAPABILITIES = [capability.value for capability in Capability]


def closest(word: str, known: Iterable[str], count: int = 1, closeness: float = 0.6) -> list[str]:
    """Find the known words that a text resembles, in upper or lower case.

    Args:
        word: What was written.
        known: What could have been meant.
        count: How many at most.
        closeness: How alike they must be, from 0 to 1.

    Returns:
        The words, the most alike first.
    """
    from difflib import get_close_matches

    lower = {known_word.lower(): known_word for known_word in known}
    return [lower[match] for match in get_close_matches(word.lower(), lower, count, closeness)]


def did_you_mean(word: object, known: Iterable[str], closeness: float = 0.6) -> str:
    """Suggest the known word that a text resembles.

    Args:
        word: What was written.
        known: What could have been meant.
        closeness: How alike they must be, from 0 to 1.

    Returns:
        `; did you mean "…"?`, or nothing if no word is alike or it is one of them.
    """
    words = list(known)
    close = closest(word, words, closeness=closeness) if isinstance(word, str) and word not in words else []
    return f'; did you mean "{close[0]}"?' if close else ""


def misspelt_hook(hook: str, known: Collection[str]) -> str:
    """Suggest the hook that a name nearly is. A name that adds whole words to one is an application's own.

    Args:
        hook: What was written.
        known: The hooks there are.

    Returns:
        As `did_you_mean`.
    """
    close = closest(hook, known, closeness=_HOOK_CLOSENESS) if hook not in known else []
    is_own = any(re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", hook) for name in close)
    return "" if is_own or not close else f'; did you mean "{close[0]}"?'


def suggestion(error: Any) -> str:
    """Suggest what was meant by a value that is none of those its field takes.

    Args:
        error: One of the details of a pydantic error, with input and context.

    Returns:
        As `did_you_mean`.
    """
    context = error.get("ctx", {})
    if error["type"] in ("enum", "literal_error"):
        return did_you_mean(error["input"], _QUOTED.findall(str(context["expected"])))
    if error["type"] == "value_error" and "capabilities" in error["loc"]:
        unknown = _QUOTED.search(str(context["error"]))
        return did_you_mean(unknown and unknown[1], _CAPABILITIES)
    return ""
