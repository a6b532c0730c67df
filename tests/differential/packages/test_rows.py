"""The rows of `docs/compatibility.md` that published packages show."""

from typing import Any

import pytest

from ..case import Call, Case, Mode
from ..side import Side
from .matrix import POLICIES, setup_named, to_case, to_plugin
from .work import pick, plain

SECRET = "AKIAIOSFODNN7EXAMPLE"


def both(case: Case, ours: Side, published: Side) -> tuple[Any, Any]:
    """Returns what both sides noticed of the only call."""
    left, right = (plain(side.play(case)["calls"][0]) for side in (ours, published))
    return left, right


@pytest.mark.row("B10")
@pytest.mark.parametrize("mode", ["audit", "concurrent"])
def test_observers_containers_are_of_a_derived_type(ours: Side, published: Side, mode: Mode) -> None:
    """This plugin names the type of what it does not know in its metadata."""
    plugin = to_plugin(setup_named("cpex-output-length-guard", "truncates"), mode)
    call: Call = {"payload": {"name": "read", "result": [[], False]}}
    here, there = both(to_case([plugin], [call], POLICIES["no policy"]), ours, published)
    assert pick(here, "result.metadata.reason") == "unsupported_type_CopyOnWriteList"
    assert pick(there, "result.metadata.reason") == "unsupported_type_list"
    guarded = [
        pick(each, "result.metadata.reason")
        for each in both(to_case([plugin], [call], POLICIES["writable"]), ours, published)
    ]
    assert guarded == ["unsupported_type_CopyOnWriteList"] * 2


@pytest.mark.row("C5")
def test_a_payload_that_cannot_be_compared_is_a_failure_of_the_plugin(ours: Side, published: Side) -> None:
    """This plugin copies models in a way that leaves them unfinished."""
    plugin = to_plugin(setup_named("cpex-secrets-detection", "redacts"), "sequential")
    note = {"$model": "mcp.types.TextContent", "type": "text", "text": SECRET}
    case = to_case([plugin], [{"payload": {"name": "mail", "args": {"note": note}}}], POLICIES["writable"])
    here, there = both(case, ours, published)
    assert (pick(here, "raised.$"), pick(there, "raised.$")) == ("PluginError", "AttributeError")
    plugin["on_error"] = "ignore"
    here, there = both(case, ours, published)
    assert pick(here, "result.continue_processing") is True
    assert pick(here, "result.modified_payload") is None
    assert pick(there, "raised.$") == "AttributeError"
