"""What was probably meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from cpex import _core
from cpex.framework.extensions.tiers import Capability

_QUOTED = re.compile(r"'([^']*)'")
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


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Suggest the known word that a text resembles.

    Args:
        word: What was written.
        known: What could have been meant.

    Returns:
        `; did you mean "…"?`, or nothing if no word is alike or it is one of them.
    """
    words = list(known)
    close = closest(word, words) if isinstance(word, str) and word not in words else []
    return f'; did you mean "{close[0]}"?' if close else ""


def misspelt_hook(hook: str, known: Collection[str]) -> str:
    """Suggest the hook that a name nearly is, as Rust hosts do: one configuration is a mistake in both or in neither.

    A name that adds whole words to a hook is an application's own.

    Args:
        hook: What was written.
        known: The hooks there are.

    Returns:
        As `did_you_mean`.
    """
    meant = None if hook in known else _core.slip_of(hook, sorted(known))
    return f'; did you mean "{meant}"?' if meant else ""


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
