"""Contexts (P22, C3)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cpex.framework.models import GlobalContext, PluginContext, UserContext


def context(**fields: Any) -> PluginContext:
    return PluginContext(global_context=GlobalContext(request_id="r", **fields))


def test_global_context_fields() -> None:
    assert GlobalContext(request_id="r").model_dump() == {
        "request_id": "r",
        "user": None,
        "user_context": None,
        "tenant_id": None,
        "server_id": None,
        "content_type": None,
        "state": {},
        "metadata": {},
    }


@pytest.mark.parametrize(
    ("content_type", "message"),
    [
        ("x" * 201, "Content-Type header too long"),
        ("a\x00b", "Content-Type contains invalid characters"),
        ("a\tb", "Content-Type contains invalid characters"),
    ],
)
def test_impossible_content_types(content_type: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GlobalContext(request_id="r", content_type=content_type)


@pytest.mark.parametrize("content_type", [None, "", "x" * 200, " Text/HTML; q=1 "])
def test_content_types_are_kept_as_they_are(content_type: str | None) -> None:
    assert GlobalContext(request_id="r", content_type=content_type).content_type == content_type


@pytest.mark.parametrize(
    ("fields", "email"),
    [
        ({"user": "u"}, "u"),
        ({"user": {"email": "e"}}, "e"),
        ({"user": {"name": "n"}}, None),
        ({}, None),
        ({"user": "u", "user_context": UserContext(user_id="i", email="c")}, "c"),
        ({"user": "u", "user_context": UserContext(user_id="i")}, None),
    ],
)
def test_user_email(fields: dict[str, Any], email: str | None) -> None:
    assert context(**fields).user_email == email


def test_user_groups() -> None:
    user_context = UserContext(user_id="i", groups=["g"])
    assert context(user_context=user_context).user_groups == ["g"]
    assert context(user_context=user_context).user_context is user_context
    assert context().user_groups == []


def test_own_state() -> None:
    plugin_context = context()
    plugin_context.set_state("k", 1)
    assert (plugin_context.get_state("k"), plugin_context.get_state("x"), plugin_context.get_state("x", 3)) == (
        1,
        None,
        3,
    )


@pytest.mark.parametrize(
    ("plugin_context", "empty"),
    [
        (context(), True),
        (context(metadata={"k": 1}), True),
        (context(state={"k": 1}), False),
        (PluginContext(global_context=GlobalContext(request_id="r"), metadata={"k": 1}), False),
    ],
)
def test_is_empty(plugin_context: PluginContext, empty: bool) -> None:
    assert plugin_context.is_empty() is empty


async def test_cleanup_empties_in_place_and_leaves_the_global_context() -> None:
    plugin_context = PluginContext(
        global_context=GlobalContext(request_id="r", state={"g": 1}), state={"k": 1}, metadata={"m": 1}
    )
    state = plugin_context.state
    await plugin_context.cleanup()
    assert state == {}
    assert plugin_context.state is state
    assert plugin_context.metadata == {}
    assert plugin_context.global_context.state == {"g": 1}
