"""AuthZEN: the question made of the input, and what the answers mean (D4, B28)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.pdp_server import DecisionPoint, says

from cpex.framework.pdp import AuthZenResolver

SUBJECT = {"type": "unknown", "id": "unknown"}
ACTION = {"name": "unknown"}
RESOURCE = {"type": "tool", "id": "unknown"}


@pytest.fixture
def point() -> Iterator[DecisionPoint]:
    with DecisionPoint() as server:
        yield server


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({}, {}),
        ({"subject": {}}, {}),
        ({"subject": {"type": "user", "id": "i"}}, {"subject": {"type": "user", "id": "i"}}),
        ({"subject": {"id": 5, "x": 1}}, {"subject": {"type": "unknown", "id": 5, "properties": {"x": 1}}}),
        ({"subject": {"id": None}}, {"subject": {"type": "unknown", "id": None}}),
        ({"action": "read"}, {"action": {"name": "read"}}),
        ({"action": 5}, {"action": {"name": "5"}}),
        ({"action": {"name": "x", "q": 1}}, {"action": {"name": "x", "q": 1}}),
        ({"action": {}}, {"action": {}}),
        ({"tool": "t"}, {"resource": {"type": "tool", "id": "t"}}),
        ({"tool": {"type": "doc", "id": "d"}}, {"resource": {"type": "doc", "id": "d"}}),
        ({"resource": {"a": 1}, "context": 2}, {"context": {"resource": {"a": 1}, "context": 2}}),
    ],
)
async def test_d4_question(point: DecisionPoint, given: dict[str, Any], changed: dict[str, Any]) -> None:
    before = repr(given)
    async with AuthZenResolver(point.url, timeout_ms=20_000) as resolver:
        assert (await resolver.resolve(given)).allowed
    assert point.requests[0].body == {"subject": SUBJECT, "action": ACTION, "resource": RESOURCE, **changed}
    assert repr(given) == before


@pytest.mark.parametrize("subject", ["bob", None, ["x"]])
async def test_a_subject_is_a_dict(point: DecisionPoint, subject: Any) -> None:
    async with AuthZenResolver(point.url, fail_open=True) as resolver:
        with pytest.raises(TypeError, match="^'subject' must be a dict with 'type' and 'id', not "):
            await resolver.resolve({"subject": subject})
    assert point.requests == []


@pytest.mark.parametrize("fail_open", [False, True])
@pytest.mark.parametrize(
    ("answer", "allowed", "reason", "context"),
    [
        ({"decision": True}, True, None, {}),
        ({"decision": False}, False, None, {}),
        ({}, False, None, {}),
        ({"decision": None}, False, None, {}),
        ({"decision": False, "context": {"reason": "r"}}, False, "r", {"reason": "r"}),
        ({"decision": True, "context": {"reason": {"message": "m", "detail": "d"}}}, True, "m", None),
        ({"decision": False, "context": {"reason": {"message": "", "detail": "d"}}}, False, "d", None),
        ({"decision": False, "context": {"reason": {"en": "x"}}}, False, None, None),
        ({"decision": False, "context": {"reason": ["x"]}}, False, None, None),
        ({"decision": False, "context": "x", "reason": "y"}, False, None, {}),
    ],
)
async def test_d4_answers(
    point: DecisionPoint,
    answer: dict[str, Any],
    allowed: bool,
    reason: str | None,
    context: dict[str, Any] | None,
    fail_open: bool,
) -> None:
    point.answer = says(answer)
    async with AuthZenResolver(point.url, timeout_ms=20_000, fail_open=fail_open) as resolver:
        result = await resolver.resolve({})
    assert (result.allowed, result.reason) == (allowed, reason)
    assert result.context == (answer["context"] if context is None else context)


@pytest.mark.parametrize("decision", ["true", "false", 1, [True], "", 0])
async def test_b28_only_true_allows(point: DecisionPoint, decision: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    point.answer = says({"decision": decision})
    async with AuthZenResolver(point.url, timeout_ms=20_000) as resolver:
        assert not (await resolver.resolve({})).allowed
        monkeypatch.setenv("PLUGINS_COMPAT", "0.1.4")
        assert (await resolver.resolve({})).allowed is bool(decision)
