"""CPEX and the published package must be indistinguishable, but for the rows of `docs/compatibility.md`."""

import copy
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from .allowed import comparable, for_published
from .case import Case, Observation, Step, mark, plugin, tool_case
from .side import Side
from .strategies import cases

CASES = os.environ.get("CPEX_DIFFERENTIAL_CASES")


def differences(left: Any, right: Any, path: str = "") -> Iterator[str]:
    """Yields one line per place where two observations differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            if key not in left or key not in right:
                side, value = ("ours", left[key]) if key in left else ("published", right[key])
                yield f"{path}.{key}: only {side}: {json.dumps(value)[:300]}"
            else:
                yield from differences(left[key], right[key], f"{path}.{key}")
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif left != right:
        yield f"{path}: ours {json.dumps(left)[:300]}, published {json.dumps(right)[:300]}"


def check(case: Case, ours: Side, published: Side) -> None:
    """Plays `case` on both sides at once and compares."""
    ours.tell(case)
    published.tell(for_published(case))
    left, right = comparable(case, ours.hear(), published.hear())
    if left != right:
        lines = "\n".join(differences(left, right))
        pytest.fail(f"case:\n{json.dumps(case)}\ndifferences:\n{lines}", pytrace=False)


PHASES = tool_case(
    plugin("z", "sequential", 5, mark("z")),
    plugin("a", "sequential", 5, mark("a")),
    plugin("t", "transform", 5, mark("t")),
    plugin("c", "concurrent", 5, mark("c")),
    plugin("f", "fire_and_forget", 5, mark("f")),
    plugin("u", "audit", 5, mark("u")),
    plugin("y", "sequential", 1, mark("y")),
)
FAIL_FAST = tool_case(
    plugin("a", "concurrent", 1, Step(do="reply", reply={"kind": "result", "metadata": {"ok": 1}})),
    plugin("d", "concurrent", 2, Step(do="sleep", ms=10), Step(do="reply", reply={"kind": "result", "allow": False})),
    plugin("s", "concurrent", 3, Step(do="sleep", ms=50)),
    plugin("f", "fire_and_forget", 4),
)
SHARED_STATE = tool_case(
    plugin(
        "s",
        "sequential",
        1,
        Step(do="nested", where="global.state", key="n", value=9),
        Step(do="write", where="global.state", key="new", value=1),
        Step(do="delete", where="global.state", key="del"),
    )
)


@settings(
    max_examples=int(CASES or 2000),
    # The same cases at every `make test`; new ones when more are asked for.
    derandomize=CASES is None,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(case=cases())
@example(case=PHASES)
@example(case=FAIL_FAST)
@example(case=SHARED_STATE)
def test_same_observations(ours: Side, published: Side, case: Case) -> None:
    check(case, ours, published)


def test_the_published_side_is_the_published_package(published: Side) -> None:
    """A case without a description fails there: B1 is what tells the two packages apart."""
    deny = Step(do="reply", reply={"kind": "result", "violation": {"reason": "no", "code": "NO"}})
    noticed = published.play(tool_case(plugin("a", "sequential", 1, deny)))
    assert noticed["calls"][0]["raised"]["$"] == "PluginError"


def test_virtual_time_passes(published: Side) -> None:
    """A plugin that never answers costs the timeout, and no real time."""
    noticed = published.play(tool_case(plugin("a", "sequential", 1, Step(do="hang"))))
    assert noticed["calls"][0]["took"] == 30


PARTS = ("result", "payload", "context", "table", "logs", "starts", "background", "disabled", "left_over")


@pytest.mark.parametrize("key", PARTS)
def test_a_change_of_any_part_is_noticed(published: Side, key: str) -> None:
    noticed = published.play(PHASES)
    changed: Observation = copy.deepcopy(noticed)
    changed["calls"][0][key] = None
    assert list(differences(*comparable(PHASES, noticed, noticed))) == []
    assert list(differences(*comparable(PHASES, changed, noticed))) != []
