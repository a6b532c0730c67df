"""How plugins are run, and what comes back (B10, B15, B17, B18, B36, C1–C6, C9, C12, C15, C31)."""

import sys
from typing import Any

import pytest

from . import running
from .conftest import Probe, RunBoth
from .outcome import Raised

row = pytest.mark.row
ON_3_12 = sys.version_info >= (3, 12)
TWO_FATES = [["a", "failed"], ["b", "skipped"]]


TABLE: list[Any] = [
    pytest.param(running.edited_without_policy, [], {"deep": {"a": 1}}, {"deep": {"a": 9}}, marks=row("B10")),
    pytest.param(running.sibling_of_a_failure, [], ["cancelled"], ["ran on"], marks=row("B15")),
    pytest.param(
        running.own_time_limit,
        [],
        ["timeout", "Plugin a exceeded 0.02s timeout"],
        ["timeout", "Plugin a exceeded 1s timeout"],
        marks=row("B17"),
    ),
    pytest.param(
        running.records_of_failures,
        [],
        [["a", "error"], ["b", "skipped"]],
        [["a", "completed"]],
        marks=row("B18"),
    ),
    pytest.param(running.reported, [], [TWO_FATES, ["completed"], False], [[], ["completed"], False], marks=row("B18")),
    pytest.param(running.eligible, [], [["b", False], ["a", True]], Raised("AttributeError"), marks=row("B36")),
    pytest.param(running.large_payload, [600_000], "taken", Raised("PayloadSizeError"), marks=row("C1")),
    pytest.param(
        running.large_payload, [1_100_000], Raised("PayloadSizeError"), Raised("PayloadSizeError"), marks=row("C1")
    ),
    pytest.param(
        running.runs_on_the_callers_task,
        [],
        [True, "plugin"],
        [True, "plugin"] if ON_3_12 else [False, "caller"],
        marks=row("C2"),
    ),
    pytest.param(
        running.swallowed_cancellation,
        [],
        {"swallowed": True},
        {"swallowed": True} if ON_3_12 else None,
        marks=row("C3"),
    ),
    pytest.param(running.types_of_results, [], [False, False, True, True, True], [True] * 5, marks=row("C4")),
    pytest.param(
        running.failure_without_a_result,
        [],
        [
            "PluginError: AttributeError(\"'NoneType' object has no attribute 'metadata'; "
            'the plugin must return a PluginResult, not NoneType")',
            "AttributeError: the context of a request has a request_id; pass a GlobalContext, not NoneType",
        ],
        [
            "PluginError: AttributeError(\"'NoneType' object has no attribute 'metadata'\")",
            "AttributeError: 'NoneType' object has no attribute 'request_id'",
        ],
        marks=row("C31"),
    ),
    pytest.param(running.odd_result, [], '{"1": 2}', Raised("TypeError"), marks=row("C9")),
    pytest.param(
        running.background_at_shutdown, [], ["ran on", "shut down"], ["shut down", "ran on"], marks=row("C12")
    ),
    pytest.param(
        running.condition_changed_in_place,
        [],
        [{}, {"a": "ran", "b": "ran"}],
        [{"a": "ran"}, {"a": "ran", "b": "ran"}],
        marks=row("C15"),
    ),
]


@pytest.mark.parametrize(("probe", "arguments", "here", "there"), TABLE)
def test_row(run_both: RunBoth, probe: Probe, arguments: list[Any], here: Any, there: Any) -> None:
    assert run_both(probe, *arguments) == (here, there)


@row("C5")
@pytest.mark.parametrize("wrong", [{"retry_delay_ms": "soon"}, {"modified_extensions": "none"}])
def test_answers_that_cannot_be_read(run_both: RunBoth, wrong: Any) -> None:
    ours, published = run_both(running.answered, "ignore", {"wrong": wrong})
    assert ours is True
    assert isinstance(published, Raised) and published.kind != "PluginError"
    assert run_both(running.answered, "fail", {"wrong": wrong}).ours == Raised("PluginError")


@row("C6")
def test_a_denial_with_something_wrong_beside_it(run_both: RunBoth) -> None:
    assert run_both(running.answered, "ignore", {"wrong": {}, "deny": True, "state": True}) == (False, True)
