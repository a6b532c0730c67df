"""Open Policy Agent: what its answers mean (D3, B28), and a Rego engine behind its data API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.pdp_server import Answer, Connection, DecisionPoint, says

from cpex.framework.pdp import OpaResolver
from cpex.framework.pdp.base import PdpError

UNDEFINED = "OPA invalid answer: no 'result'; does the rule exist, and has it a value for this input?"


@pytest.fixture
def point() -> Iterator[DecisionPoint]:
    with DecisionPoint() as server:
        yield server


async def ask(point: DecisionPoint, answer: Any, *, fail_open: bool = False) -> tuple[bool, str | None, dict[str, Any]]:
    point.answer = says(answer)
    async with OpaResolver(point.url, timeout_ms=20_000, fail_open=fail_open) as resolver:
        result = await resolver.resolve({})
    assert not result.from_cache
    return result.allowed, result.reason, result.context


@pytest.mark.parametrize("fail_open", [False, True])
@pytest.mark.parametrize(
    ("result", "allowed", "reason"),
    [
        (True, True, None),
        (False, False, None),
        ({"allow": True}, True, None),
        ({"allow": False}, False, None),
        ({}, False, None),
        ({"allow": False, "deny": ["a", "b"]}, False, "a"),
        ({"allow": False, "deny": [{"m": 1}]}, False, "{'m': 1}"),
        ({"allow": False, "deny": []}, False, None),
        ({"allow": False, "deny": "d"}, False, "d"),
        ({"allow": True, "deny": ["a"]}, True, "a"),
        ({"allow": False, "deny": {"m": 1}, "extra": [1]}, False, None),
    ],
)
async def test_d3_answers(
    point: DecisionPoint, result: Any, allowed: bool, reason: str | None, fail_open: bool
) -> None:
    context = result if isinstance(result, dict) else {}
    assert await ask(point, {"result": result}, fail_open=fail_open) == (allowed, reason, context)


@pytest.mark.parametrize("allow", ["true", "false", 1, [True], {"x": 1}, "", 0, None])
async def test_b28_only_true_allows(point: DecisionPoint, allow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await ask(point, {"result": {"allow": allow}}) == (False, None, {"allow": allow})
    monkeypatch.setenv("PLUGINS_COMPAT", "0.1.4")
    assert await ask(point, {"result": {"allow": allow}}) == (bool(allow), None, {"allow": allow})


async def test_b28_a_decision_that_is_no_boolean_is_logged(
    point: DecisionPoint, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(point, {"result": {"allow": "s3cr3t"}})
    assert "OPA decided with a str; only true allows" in caplog.messages
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize("fail_open", [False, True])
@pytest.mark.parametrize(("result", "name"), [(None, "NoneType"), ("s3cr3t", "str"), (5, "int"), ([True], "list")])
async def test_d3_other_results(
    point: DecisionPoint, result: Any, name: str, fail_open: bool, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"Unexpected OPA response: {name}"
    assert await ask(point, {"result": result}, fail_open=fail_open) == (fail_open, text, {})
    assert text in caplog.messages
    assert "s3cr3t" not in caplog.text


async def test_b28_no_result_is_a_failure(point: DecisionPoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """OPA answers so for a rule that does not exist, or has no value."""
    with pytest.raises(PdpError) as caught:
        await ask(point, {"decision_id": "1"})
    assert str(caught.value) == UNDEFINED
    assert await ask(point, {}, fail_open=True) == (True, "OPA invalid answer, fail-open", {})
    monkeypatch.setenv("PLUGINS_COMPAT", "0.1.4")
    assert await ask(point, {}) == (False, "Unexpected OPA response: NoneType", {})
    with pytest.raises(AttributeError):
        await ask(point, [1], fail_open=True)


POLICY = """
package tools

import rego.v1

default allow := false

allow if {
    input.user.role == "admin"
    not startswith(input.tool, "system/")
}

deny contains message if {
    input.user.role != "admin"
    message := sprintf("%s may not call %s", [input.user.name, input.tool])
}

limit := 5 if input.user.role == "admin"
"""


def data_api(interpreter: Any) -> Answer:
    """OPA's data API: the path names a rule, and a rule without a value has no `result`."""

    def answer(connection: Connection) -> None:
        rule = connection.path.removeprefix("/v1/").replace("/", ".")
        interpreter.set_input(connection.server.requests[-1].body["input"])
        # An expression that is false would be no solution; a binding has its value.
        found = str(interpreter.query(f"value = {rule}"))
        result = {} if found == "undefined" else {"result": json.loads(found)["bindings"]["value"]}
        connection.write(200, json.dumps(result).encode())

    return answer


ROOT, ALICE = {"name": "root", "role": "admin"}, {"name": "alice", "role": "user"}


@pytest.mark.parametrize(
    ("rule", "user", "tool", "expected"),
    [
        ("allow", ROOT, "echo", (True, None)),
        ("allow", ROOT, "system/halt", (False, None)),
        ("allow", ALICE, "echo", (False, None)),
        ("", ROOT, "echo", (True, None)),
        ("", ALICE, "echo", (False, "alice may not call echo")),
        ("limit", ROOT, "echo", (False, "Unexpected OPA response: int")),
        ("limit", ALICE, "echo", UNDEFINED),
        ("no_such_rule", ROOT, "echo", UNDEFINED),
    ],
)
async def test_rego(point: DecisionPoint, rule: str, user: dict[str, str], tool: str, expected: Any) -> None:
    """Policies in Rego, by rego-cpp: the `opa` program itself is in no package registry."""
    regopy = pytest.importorskip("regopy", reason="regopy (requirements/test.in) is not installed")
    interpreter = regopy.Interpreter()
    interpreter.add_module("tools.rego", POLICY)
    point.answer = data_api(interpreter)
    endpoint = f"{point.url}/v1/data/{{package}}/{rule}".rstrip("/")
    async with OpaResolver(endpoint, timeout_ms=20_000) as resolver:
        question = {"package": "tools", "user": user, "tool": tool}
        if expected is UNDEFINED:
            with pytest.raises(PdpError, match="^OPA invalid answer: no 'result'"):
                await resolver.resolve(question)
        else:
            result = await resolver.resolve(question)
            assert (result.allowed, result.reason) == expected
