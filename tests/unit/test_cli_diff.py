"""The field diff of `cpex run`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from cpex.tools._diff import Change, diff, snapshot

SECRET = "alice@example.com"


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": "x"}, {"a": "x", "b": [1, 2]}, [Change("b", "", "[2 items]")]),
        ({"a": {"b": [1, {"c": None}]}}, {"a": {"b": [1, {"c": True}]}}, [Change("a.b[1].c", "null", "true")]),
        ({"a": [1, 2]}, {"a": [1]}, [Change("a[1]", "••• (1 character)", "")]),
        ({"a": 1}, {"a": True}, [Change("a", "••• (1 character)", "true")]),
        ({"a": "say hello"}, {"a": "say goodbye"}, [Change("a", "he••• (5 characters)", "goodbye")]),
        (
            {"t": f"mail {SECRET} or call 4111 1111 1111 1111 now"},
            {"t": "mail [PII] or call [PII] now"},
            [Change("t", "al••• (17 characters)", "[PII]"), Change("t", "41••• (19 characters)", "[PII]")],
        ),
        ({"t": "a b " * 2000}, {"t": "a b "}, [Change("t", "a ••• (7,996 characters)", "")]),
    ],
)
def test_diff(before: Any, after: Any, changes: list[Change]) -> None:
    assert diff(before, after) == changes


def test_snapshot_is_out_of_reach_of_later_edits() -> None:
    class Model(BaseModel):
        items: dict[str, list[int]]

    model = Model(items={"a": [1]})
    before = snapshot(model)
    model.items["a"].append(2)
    assert [change.path for change in diff(before, snapshot(model))] == ["items.a[1]"]


def test_much_changed_text_is_given_by_length() -> None:
    before, after = (" ".join(f"{word}{n}" for n in range(2000)) for word in ("old", "new"))
    (change,) = diff({"t": before}, {"t": after})
    assert change.new == f"{len(after):,} characters"
