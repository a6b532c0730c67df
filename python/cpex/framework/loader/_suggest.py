"""What was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from cpex.framework.extensions.tiers import Capability

_QUOTED = re.compile(r"'([^']*)'")
_CAPABILITIES = [capability.value for capability in Capability]


def did_you_mean(word: object, known: Iterable[str], closeness: float = 0.6) -> str:
    """Suggest the known word that a text resembles.

    Args:
        word: What was written.
        known: What could have been meant.
        closeness: How alike they must be, from 0 to 1.

    Returns:
        `; did you mean "…"?`, or nothing if no word is alike or it is one of them.
    """
    from difflib import get_close_matches

    words = list(known)
    if not isinstance(word, str) or word in words:
        return ""
    lower = {known_word.lower(): known_word for known_word in words}
    close = get_close_matches(word.lower(), lower, 1, closeness)
    return f'; did you mean "{lower[close[0]]}"?' if close else ""


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
