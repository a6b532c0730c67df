"""What each deliberate difference looks like on both sides: the rows that `allowed.py` looks away from."""

from collections.abc import Callable
from typing import Any

import pytest

from .case import Case, Observation, Step, plugin, tool_case
from .side import Side

row = pytest.mark.row

Look = Callable[[Observation], Any]


def state(call: Observation) -> Any:
    """Returns the caller's shared state after the call."""
    return call["context"]["fields"]["state"]


def args(call: Observation) -> Any:
    """Returns the arguments in the caller's own payload after the call."""
    return call["payload"]["fields"]["args"]


def accepted_args(call: Observation) -> Any:
    """Returns the arguments in the modified payload, or None."""
    payload = call["result"]["fields"]["modified_payload"]
    return payload and payload["fields"]["args"]


def ending(call: Observation) -> Any:
    """Returns the type of what was raised, or None."""
    return call.get("raised", {}).get("$")


def guarded(case: Case) -> Case:
    """Returns the case under a policy that lets `args` be written."""
    case["manager"]["policies"] = {"tool_pre_invoke": ["args"]}
    return case


def asking_one(case: Case) -> Case:
    """Returns the case with a call of its first plugin alone, which ignores errors."""
    case["plugins"][0]["on_error"] = "ignore"
    case["calls"] = [{"only_plugin": case["plugins"][0]["name"]}]
    return case


def nested_args(case: Case) -> Case:
    """Returns the case with a container inside the arguments."""
    case["payload"]["args"]["deep"] = {"a": 1}
    return case


def ignoring(case: Case) -> Case:
    """Returns the case with a first plugin whose errors are ignored."""
    case["plugins"][0]["on_error"] = "ignore"
    return case


def twice(case: Case) -> Case:
    """Returns the case with a first plugin that names its hook twice."""
    case["plugins"][0]["hooks"] = ["tool_pre_invoke", "tool_pre_invoke"]
    return case


def statuses(call: Observation) -> Any:
    """Returns the status in each record."""
    return [record["fields"]["status"]["value"] for record in call["result"]["fields"]["executions"]]


def extended(case: Case) -> Case:
    """Returns the case with extensions that the caller passes."""
    case["extensions"] = {"request": {"request_id": "r"}, "security": {"labels": ["A"]}, "custom": {"k": 1}}
    return case


def written(call: Observation) -> Any:
    """Returns the request ID, the labels and the custom slot in the extensions handed back, or None."""
    extensions = call["result"]["fields"]["modified_extensions"]
    if extensions is None:
        return None
    fields = extensions["fields"]
    request, security = fields["request"], fields["security"]
    labels = security and security["fields"]["labels"]["items"]
    return request and request["fields"]["request_id"], labels, fields["custom"]


HANG = Step(do="hang")
SLEEP = Step(do="sleep", ms=50)
WRITE = Step(do="write", where="global.state", key="del", value=2)
DELETE = Step(do="delete", where="global.state", key="del")
NEST = Step(do="nested", where="global.state", key="n", value=9)
EDIT = Step(do="edit", path=["args", "a"], value=9)
EDIT_NESTED = Step(do="edit", path=["args", "deep", "a"], value=9)
FAIL = Step(do="fail", failure={"kind": "runtime", "message": "no"})
RETURN_EDITED = Step(do="reply", reply={"kind": "result", "change": {"how": "in_place"}})
DENY_BRIEFLY = Step(do="reply", reply={"kind": "result", "allow": False, "violation": {"reason": "no", "code": "NO"}})
WRITE_REQUEST = Step(do="reply", reply={"kind": "result", "slots": {"request_id": "mine"}})
WRITE_CUSTOM = Step(do="reply", reply={"kind": "result", "custom": {"k": 2}})
OWN_TIMEOUT = Step(do="fail", failure={"kind": "timeout", "message": "database"})


# fmt: off
TABLE: list[tuple[pytest.MarkDecorator, Case, Look, Any, Any]] = [
    (row("B1"), tool_case(plugin("a", "sequential", 1, DENY_BRIEFLY)), ending, None, "PluginError"),
    (row("B8"), twice(tool_case(plugin("a", "sequential", 1))), statuses, ["completed"], ["completed"] * 2),
    (row("B9"), extended(tool_case(plugin("a", "sequential", 1, WRITE_REQUEST))), written, None, ("mine", None, None)),
    (row("B9"), extended(tool_case(plugin("a", "sequential", 1, WRITE_CUSTOM))), written,
     ("r", ["'A'"], {"k": 2}), (None, None, {"k": 2})),
    (row("B10"), tool_case(plugin("a", "audit", 1, EDIT)), args, {"a": 1}, {"a": 9}),
    (row("B10"), tool_case(plugin("a", "concurrent", 1, EDIT)), args, {"a": 1}, {"a": 9}),
    (row("B10"), guarded(nested_args(tool_case(plugin("a", "sequential", 1, EDIT_NESTED)))), args,
     {"a": 1, "deep": {"a": 1}}, {"a": 1, "deep": {"a": 9}}),
    (row("B10"), guarded(tool_case(plugin("a", "sequential", 1, EDIT, RETURN_EDITED))), accepted_args, {"a": 9}, None),
    (row("B11"), tool_case(plugin("a", "sequential", 1, DELETE)), state, {"n": {"k": 0}}, {"n": {"k": 0}, "del": 1}),
    (row("B11"), tool_case(plugin("a", "audit", 1, NEST)), state, {"n": {"k": 0}, "del": 1}, {"n": {"k": 9}, "del": 1}),
    (row("B11"), ignoring(tool_case(plugin("a", "sequential", 1, NEST, FAIL))), state,
     {"n": {"k": 0}, "del": 1}, {"n": {"k": 9}, "del": 1}),
    (row("B11"), tool_case(plugin("a", "concurrent", 1, SLEEP), plugin("b", "concurrent", 1, WRITE)), state,
     {"n": {"k": 0}, "del": 2}, {"n": {"k": 0}, "del": 1}),
    (row("B17"), ignoring(tool_case(plugin("a", "sequential", 1, OWN_TIMEOUT))), statuses, ["completed"], ["timeout"]),
    (row("B20"), asking_one(tool_case(plugin("a", "sequential", 1, HANG))), ending, None, "PluginTimeoutError"),
]
# fmt: on

SWITCHED_BACK = [
    (row("B9"), extended(tool_case(plugin("a", "sequential", 1, WRITE_REQUEST))), written),
    (row("B11"), tool_case(plugin("a", "sequential", 1, DELETE)), state),
    (row("B20"), asking_one(tool_case(plugin("a", "sequential", 1, HANG))), ending),
]


@pytest.mark.parametrize(
    ("case", "look", "here", "there"), [pytest.param(*shown, marks=mark) for mark, *shown in TABLE]
)
def test_row(ours: Side, published: Side, case: Case, look: Look, here: Any, there: Any) -> None:
    """Ours does what the row promises; the published package still does what the row says of it."""
    assert look(published.play(case)["calls"][0]) == there
    assert look(ours.play(case)["calls"][0]) == here


@pytest.mark.parametrize(("case", "look"), [pytest.param(*shown, marks=mark) for mark, *shown in SWITCHED_BACK])
def test_row_can_be_switched_back(compatible: Side, published: Side, case: Case, look: Look) -> None:
    """`PLUGINS_COMPAT=0.1.4`: what a row with a † does is what the published package does."""
    assert look(compatible.play(case)["calls"][0]) == look(published.play(case)["calls"][0])


@row("B22")
def test_failed_chain_span_is_ended(ours: Side, published: Side) -> None:
    """The span of the chain is the first."""
    case = tool_case(plugin("a", "sequential", 1, FAIL))
    case["manager"]["observed"] = True
    chains = [side.play(case)["calls"][0]["spans"][0] for side in (ours, published)]
    assert [[end[1]["status"] for end in chain["ends"]] for chain in chains] == [["error"], []]
