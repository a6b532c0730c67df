"""The OpenID AuthZEN authorization API."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from cpex.framework.pdp._http import Decision, HttpResolver
from cpex.framework.pdp.base import PdpError as PdpError
from cpex.framework.pdp.base import PdpResolver as PdpResolver
from cpex.framework.pdp.base import PdpResult as PdpResult

__all__ = ["AuthZenResolver"]

logger = logging.getLogger(__name__)

_UNKNOWN = "unknown"


class AuthZenResolver(HttpResolver):
    """Asks an access evaluation endpoint, such as `https://pdp/access/v1/evaluation`.

    Of the input, `subject`, `action` and `tool` make the question; everything else is its context.
    """

    _service = "AuthZen"
    _logger = logger

    def _question(self, input_data: dict[str, Any]) -> Any:
        context = dict(input_data)
        question = {
            "subject": _subject(context.pop("subject", {})),
            "action": _named(context.pop("action", _UNKNOWN), lambda name: {"name": name}),
            "resource": _named(context.pop("tool", _UNKNOWN), lambda name: {"type": "tool", "id": name}),
        }
        return {**question, "context": context} if context else question

    def _read(self, answer: dict[str, Any]) -> Decision:
        context = answer.get("context")
        if not isinstance(context, dict):
            context = {}
        reason = context.get("reason")
        if isinstance(reason, dict):
            reason = reason.get("message") or reason.get("detail")
        elif not isinstance(reason, str):
            reason = None
        return Decision(self._is_allow(answer.get("decision")), reason, context)


def _subject(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise TypeError(f"'subject' must be a dict with 'type' and 'id', not {type(given).__name__}")
    properties = dict(given)
    subject = {key: properties.pop(key, _UNKNOWN) for key in ("type", "id")}
    return {**subject, "properties": properties} if properties else subject


def _named(given: Any, make: Callable[[str], dict[str, str]]) -> dict[str, Any]:
    return given if isinstance(given, dict) else make(str(given))
