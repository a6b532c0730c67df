"""Says whether a plugin did the work that its package promises: literal expectations, whatever the other side did."""

from typing import Any, Final

from ..case import LEGACY_MODES, Mode, Observation
from .matrix import Expectation, Setup

BLOCKING: Final = {"sequential", "concurrent"}
MODIFYING: Final = {"sequential", "transform"}
LETTING_WRITE: Final = {"no policy", "writable"}
IGNORING_ERRORS: Final = {"enforce_ignore_error", "fire_and_forget"}


def plain(value: Any) -> Any:
    """Returns an observed value without what says of which type it was."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("$") == "float":
        return float(value["repr"])
    for content in ("fields", "items", "root", "value"):
        if "$" in value and content in value:
            return plain(value[content])
    return {key: plain(item) for key, item in value.items()}


def pick(value: Any, path: str) -> Any:
    """Returns what stands at a dotted path; numbers are places in a list."""
    for key in path.split("."):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def _assert_holds(value: Any, expected: dict[str, Any]) -> None:
    assert {path: pick(value, path) for path in expected} == expected


def check_work(setup: Setup, mode: Mode, policy: str, noticed: Observation) -> None:
    """Fails if a call did not come out as the plugin's answer, its mode and the policy say."""
    for each, call in zip(setup["inputs"], noticed["calls"], strict=True):
        assert ("raised" in call) == ("raises" in each["expect"] and mode not in IGNORING_ERRORS)
        if "raised" in call:
            assert each["expect"]["raises"] in call["raised"]["text"]
        else:
            _check_result(each["expect"], LEGACY_MODES.get(mode, mode), policy, call)
    sent = setup.get("sent", [])
    assert len(noticed["sent"]) == len(sent)
    if mode != "fire_and_forget":  # there, a plugin keeps nothing from hook to hook
        for request, expected in zip(noticed["sent"], sent, strict=True):
            _assert_holds(request, expected)


def _check_result(expect: Expectation, mode: str, policy: str, call: Observation) -> None:
    result = plain(call["result"])
    blocked = "violation" in expect and mode in BLOCKING
    assert result["continue_processing"] is not blocked
    if blocked:
        _assert_holds(result["violation"], expect["violation"])
    if "changed" in expect and mode in MODIFYING and policy in LETTING_WRITE:
        _assert_holds(result["modified_payload"], expect["changed"])
    else:
        # A plugin may hand the payload back as it was.
        assert result["modified_payload"] in (None, plain(call["payload"]))
    if mode != "fire_and_forget":
        _assert_holds(result["metadata"], expect.get("metadata", {}))
        assert result["retry_delay_ms"] == expect.get("retry_delay_ms", 0)
