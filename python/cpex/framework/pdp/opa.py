"""Open Policy Agent."""

from __future__ import annotations

import logging
from typing import Any

from cpex.framework._compat import is_compatible
from cpex.framework.pdp._http import Decision, HttpResolver, UnusableAnswerError
from cpex.framework.pdp.base import PdpError as PdpError
from cpex.framework.pdp.base import PdpResolver as PdpResolver
from cpex.framework.pdp.base import PdpResult as PdpResult

__all__ = ["OpaResolver"]

logger = logging.getLogger(__name__)


class OpaResolver(HttpResolver):
    """Asks a rule of OPA's data API, such as `http://opa:8181/v1/data/tools/allow`.

    The rule is a boolean, or an object with `allow` and perhaps `deny`, a message or a list of them.
    """

    _service = "OPA"
    _logger = logger

    def _question(self, input_data: dict[str, Any]) -> Any:
        return {"input": input_data}

    def _read(self, answer: dict[str, Any]) -> Decision:
        result = answer.get("result")
        if isinstance(result, bool):
            return Decision(result, None, {})
        if isinstance(result, dict):
            return Decision(self._is_allow(result.get("allow")), _first(result.get("deny")), result)
        if "result" not in answer and not is_compatible():
            raise UnusableAnswerError("no 'result'; does the rule exist, and has it a value for this input?")
        text = f"Unexpected OPA response: {type(result).__name__}"
        logger.warning("%s", text)
        return Decision(self.fail_open, text, {})


def _first(deny: Any) -> str | None:
    """Give the first of the messages of a `deny` rule."""
    if isinstance(deny, list):
        return str(deny[0]) if deny else None
    return deny if isinstance(deny, str) and deny else None
