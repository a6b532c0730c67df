"""Decision points: both packages ask the same server the same questions (D1-D5); what differs is row B28."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.pdp_server import Connection, DecisionPoint

ROOT = Path(__file__).parents[2]
SIDE = Path(__file__).with_name("pdp_side.py")
BODIES: dict[str, list[Any]] = {
    "opa": [
        {"result": True},
        {"result": False},
        {"result": {"allow": True, "deny": ["a"]}},
        {"result": {"allow": False, "deny": ["a", "b"]}},
        {"result": {"allow": False, "deny": [{"m": 1}]}},
        {"result": {"deny": "d"}},
        {"result": {"deny": {"m": 1}}},
        {"result": {"allow": 0, "deny": []}},
        {"result": {}},
        {"result": None},
        {"result": "x"},
        {"result": [1]},
        {"result": 1.5},
    ],
    "authzen": [
        {"decision": True},
        {"decision": False, "context": {"reason": "r", "x": [1]}},
        {"decision": False, "context": {"reason": {"message": "m", "detail": "d"}}},
        {"decision": False, "context": {"reason": {"message": "", "detail": "d"}}},
        {"decision": False, "context": {"reason": {"message": 5}}},
        {"decision": False, "context": {"reason": ["x"]}},
        {"decision": False, "context": "x"},
        {"decision": None},
        {},
    ],
}
INPUTS: list[dict[str, Any]] = [
    {},
    {"subject": {"type": "t", "id": 1, "x": [1]}, "action": "read", "tool": "t", "more": {"a": 1}},
    {"subject": {"id": None}, "action": {"name": "n"}, "tool": {"id": "i"}, "resource": "r", "context": {"a": 1}},
    {"action": 5, "tool": ["x"]},
    {"subject": {"properties": {"a": 1}}, "action": {}, "tool": {}},
]
PATHS = ["/v1/{tool}/x", "/{tool}/{action}/{none}", "/v1/{{x}}/{action}"]
UNDECIDED: list[tuple[str, Any]] = [
    ("opa", {"result": {"allow": "false"}}),
    ("opa", {"result": {"allow": 1}}),
    ("opa", {}),
    ("opa", [1]),
    ("authzen", {"decision": "false"}),
    ("authzen", {"decision": {"x": 1}}),
    ("authzen", "x"),
]


def cases() -> dict[str, dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for fail_open in (False, True):
        for pdp, bodies in BODIES.items():
            found += [{"pdp": pdp, "body": json.dumps(body), "fail_open": fail_open} for body in bodies]
            found += [
                {"pdp": pdp, "body": json.dumps(bodies[0]), "status": status, "fail_open": fail_open}
                for status in (201, 301, 302, 307, 400, 404, 429, 500, 503)
            ]
    for pdp, bodies in BODIES.items():
        allow = json.dumps(bodies[0])
        found += [{"pdp": pdp, "body": allow, "input": given, "fail_open": False} for given in INPUTS]
        found += [{"pdp": pdp, "body": allow, "input": INPUTS[1], "path": path, "fail_open": False} for path in PATHS]
    for pdp, body in UNDECIDED:
        found += [{"pdp": pdp, "body": json.dumps(body), "fail_open": fo, "row": "B28"} for fo in (False, True)]
    found += [{"pdp": pdp, "body": "<html>", "fail_open": True, "row": "B28"} for pdp in BODIES]
    slash = {"tool": "a/b"}
    found.append({"pdp": "opa", "body": '{"result": true}', "path": PATHS[0], "input": slash, "fail_open": False})
    found[-1]["row"] = "B28"
    return {str(number): {"name": str(number), "input": {}, **case} for number, case in enumerate(found)}


CASES = cases()


def play(python: str, **variables: str) -> list[tuple[dict[str, Any], Any]]:
    """Returns the outcome of each case, and what the server was asked."""

    def answer(connection: Connection) -> None:
        case = CASES[connection.server.requests[-1].headers["X-Case"]]
        connection.write(case.get("status", 200), case["body"].encode(), Location="/elsewhere")

    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PLUGINS_", "PYTHON"))}
    with DecisionPoint() as point:
        point.answer = answer
        done = subprocess.run(
            [python, "-P", str(SIDE)],
            input=json.dumps([point.url, list(CASES.values())]),
            capture_output=True,
            text=True,
            env={**environment, **variables},
        )
        assert done.returncode == 0, done.stderr
        outcomes = json.loads(done.stdout.replace(point.url, "http://pdp"))
        asked = {request.headers["X-Case"]: (request.path, request.body) for request in point.requests}
    return [(outcome, asked.get(name)) for outcome, name in zip(outcomes, CASES, strict=True)]


@pytest.fixture(scope="module")
def published() -> list[tuple[dict[str, Any], Any]]:
    python = os.environ.get("CPEX_PUBLISHED_PYTHON", str(ROOT / ".venv-published" / "bin" / "python"))
    return play(python)


@pytest.mark.row("B28")
def test_all_but_b28_is_equal(published: list[tuple[dict[str, Any], Any]]) -> None:
    compared = zip(CASES.values(), play(sys.executable), published, strict=True)
    different = [(case, ours, theirs) for case, ours, theirs in compared if ours != theirs]
    assert [entry for entry in different if entry[0].get("row") != "B28"] == []
    # Every case of the row shows the difference, so that none of them hides another.
    assert len(different) == sum(case.get("row") == "B28" for case in CASES.values())


@pytest.mark.row("B28")
def test_b28_can_be_switched_back(published: list[tuple[dict[str, Any], Any]]) -> None:
    compared = zip(CASES.values(), play(sys.executable, PLUGINS_COMPAT="0.1.4"), published, strict=True)
    assert [entry for entry in compared if entry[1] != entry[2]] == []
