"""Views of the parts of a message (V2-V4, B4)."""

from __future__ import annotations

import copy
import pickle
from types import GeneratorType, MappingProxyType
from typing import Any

import pytest

from cpex.framework.cmf.message import ContentPart, Message, Role, TextContent
from cpex.framework.cmf.view import MessageView, ViewAction, ViewKind, iter_views
from cpex.framework.extensions import (
    AgentExtension,
    DataPolicy,
    Extensions,
    HttpExtension,
    ObjectSecurityProfile,
    RequestExtension,
    RetentionPolicy,
    SecurityExtension,
    SubjectExtension,
    SubjectType,
)

CALL = {"tool_call_id": "7", "name": "search", "arguments": {"q": "é"}, "namespace": "web"}
FILE = {"resource_request_id": "1", "uri": "file:///a/b.c", "name": "b", "resource_type": "file"}
PARTS: dict[str, Any] = {
    "text": {"text": "hi"},
    "thinking": {"text": "hm"},
    "tool_call": {"content": CALL},
    "tool_result": {"content": {"tool_call_id": "7", "tool_name": "search", "content": {"hits": 1}}},
    "resource": {"content": {**FILE, "content": "é", "mime_type": "text/plain", "version": "2"}},
    "resource_ref": {"content": FILE},
    "prompt_request": {"content": {"prompt_request_id": "1", "name": "greet", "arguments": {"who": "you"}}},
    "prompt_result": {"content": {"prompt_request_id": "1", "prompt_name": "greet", "content": "hello"}},
    **{
        kind: {"content": {"type": "url", "data": "d", "media_type": f"{kind}/x"}}
        for kind in ("image", "video", "audio", "document")
    },
}
EXTENSIONS = Extensions(
    request=RequestExtension(environment="prod", request_id="r1"),
    http=HttpExtension(
        headers={"Authorization": "s3cret", "COOKIE": "s3cret", "X-Api-Key": "s3cret", "Set-Cookie": "c"}
    ),
    security=SecurityExtension(
        labels=frozenset({"b", "a"}),
        subject=SubjectExtension(
            id="u", type=SubjectType.USER, roles=frozenset({"r2", "r1"}), claims={"secret": "s3cret"}
        ),
        objects={"search": ObjectSecurityProfile(permissions=["p"])},
        data={"search": DataPolicy(retention=RetentionPolicy(max_age_seconds=3))},
    ),
    agent=AgentExtension(input="do", session_id="", turn=0),
)


def view(kind: str, role: str = "user", hook: str | None = None, extensions: Any = None, **content: Any) -> MessageView:
    part = {"content_type": kind, **PARTS[kind]}
    if content:
        part["content"] = {**part["content"], **content}
    (found,) = Message.model_validate({"role": role, "content": [part]}).iter_views(hook, extensions)
    return found


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text", ("hi", None, None, ViewAction.SEND, True, None, 2, {})),
        ("thinking", ("hm", None, None, ViewAction.SEND, True, None, 2, {})),
        (
            "tool_call",
            (
                '{"q": "\\u00e9"}',
                "tool://web/search",
                "search",
                ViewAction.EXECUTE,
                True,
                None,
                15,
                {"namespace": "web", "tool_id": "7"},
            ),
        ),
        (
            "tool_result",
            (
                '{"hits": 1}',
                "tool_result://search",
                "search",
                ViewAction.RECEIVE,
                False,
                None,
                11,
                {"is_error": False, "tool_name": "search"},
            ),
        ),
        (
            "resource",
            (
                "é",
                "file:///a/b.c",
                "b",
                ViewAction.READ,
                False,
                "text/plain",
                2,
                {"resource_type": "file", "version": "2", "annotations": {}},
            ),
        ),
        ("resource_ref", (None, "file:///a/b.c", "b", ViewAction.READ, True, None, None, {})),
        (
            "prompt_request",
            ('{"who": "you"}', "prompt://_/greet", "greet", ViewAction.INVOKE, True, None, 14, {"server_id": None}),
        ),
        (
            "prompt_result",
            (
                "hello",
                "prompt_result://greet",
                "greet",
                ViewAction.RECEIVE,
                False,
                None,
                5,
                {"is_error": False, "message_count": 0},
            ),
        ),
        ("image", (None, None, None, ViewAction.SEND, True, "image/x", None, {})),
        ("document", (None, None, None, ViewAction.SEND, True, "document/x", None, {})),
    ],
)
def test_members_by_kind(kind: str, expected: Any) -> None:
    """V2."""
    seen = view(kind)
    found = (seen.content, seen.uri, seen.name, seen.action, seen.is_pre, seen.mime_type, seen.size_bytes)
    assert (*found, seen.properties) == expected
    assert seen.text == seen.content
    assert seen.is_post is not seen.is_pre
    assert seen.kind is ViewKind(kind)


@pytest.mark.parametrize("kind", PARTS)
def test_every_kind_belongs_to_one_family(kind: str) -> None:
    """V2."""
    seen = view(kind)
    families = {
        "tool": seen.is_tool,
        "prompt": seen.is_prompt,
        "resource": seen.is_resource,
        "text": seen.is_text,
        "media": seen.is_media,
    }
    (family,) = (name for name, belongs in families.items() if belongs)
    assert kind.startswith(family) or (family, kind) == ("text", "thinking") or family == "media"


@pytest.mark.parametrize(
    ("role", "action", "is_pre"),
    [
        ("assistant", ViewAction.GENERATE, False),
        ("tool", ViewAction.RECEIVE, False),
        ("developer", ViewAction.SEND, True),
    ],
)
def test_the_role_speaks_for_text_and_media(role: str, action: ViewAction, is_pre: bool) -> None:
    """V2."""
    for kind in ("text", "video"):
        assert (view(kind, role).action, view(kind, role).is_pre) == (action, is_pre)
    assert view("tool_call", role).is_pre


def test_a_tool_without_a_namespace() -> None:
    """V2."""
    assert [view("tool_call", namespace=namespace).uri for namespace in (None, "")] == ["tool://_/search"] * 2


def test_arguments() -> None:
    """V2."""
    call = view("tool_call")
    assert (call.get_arg("q"), call.get_arg("zz", 5), call.has_arg("q"), call.has_arg("zz")) == ("é", 5, True, False)
    assert (view("text").args, view("text").get_arg("q", 5), view("text").has_arg("q")) == (None, 5, False)
    assert (call.get_property("tool_id"), call.get_property("zz", 5)) == ("7", 5)


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, None), ("raw", "raw"), ([1, "é"], '[1, "\\u00e9"]'), ({1, 2}, "{1, 2}"), (b"x", "b'x'"), ("", "")],
)
def test_tool_results_as_text(content: Any, text: str | None) -> None:
    """V2."""
    seen = view("tool_result", content=content)
    assert (seen.content, seen.has_content()) == (text, text is not None)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"size_bytes": 0}, 0),
        ({"content": None, "blob": b"\xff\xff"}, 2),
        ({"content": None}, None),
        ({"content": "éé"}, 4),
    ],
)
def test_sizes_of_resources(fields: Any, size: int | None) -> None:
    """V2."""
    assert view("resource", **fields).size_bytes == size


def test_a_size_of_what_has_no_utf8_form() -> None:
    """The size of a view whose text has no UTF-8 form."""
    (seen,) = Message(role=Role.USER, content=[TextContent(text="a\ud800")]).iter_views()
    assert seen.to_dict()["size_bytes"] == 4


@pytest.mark.parametrize(
    ("uri", "pattern", "matches"),
    [
        ("file:///a/b.c", "file:///a/*", True),
        ("file:///a/b.c", "file:///*", False),
        ("file:///a/b.c", "file:///**", True),
        ("file:///a/b.c", "**.c", True),
        ("file:///a/b.c", "FILE:///**", False),
        ("file:///a/b.c", "file:///a/b?c", False),
        ("file:///a/b.c", "file:///a", False),
        ("db://x?y=(z)", "db://x?y=(*)", True),
        ("a\nb", "**", True),
        ("abc\n", "abc", False),
        ("", "**", False),
    ],
)
def test_uri_patterns(uri: str, pattern: str, matches: bool) -> None:
    """V2; `MessageView.matches_uri_pattern` of docs/compatibility.md."""
    assert view("resource_ref", uri=uri).matches_uri_pattern(pattern) is matches


def test_what_has_no_uri_matches_no_pattern() -> None:
    """V2."""
    assert view("text").matches_uri_pattern("**") is False


def test_the_request_around() -> None:
    """V2."""
    seen = view("tool_call", extensions=EXTENSIONS)
    assert (seen.environment, seen.request_id, seen.agent_input, seen.session_id, seen.turn) == (
        "prod",
        "r1",
        "do",
        "",
        0,
    )
    assert (seen.roles, seen.labels, seen.teams) == (frozenset({"r1", "r2"}), frozenset({"a", "b"}), frozenset())
    assert (seen.has_role("r1"), seen.has_permission("p"), seen.has_label("a")) == (True, False, True)
    assert (seen.get_header("authorization"), seen.get_header("zz", "d"), seen.has_header("SET-COOKIE")) == (
        "s3cret",
        "d",
        True,
    )
    assert (seen.object, seen.data_policy) == (
        ObjectSecurityProfile(permissions=["p"]),
        DataPolicy(retention=RetentionPolicy(max_age_seconds=3)),
    )
    assert view("text", extensions=EXTENSIONS).object is None


@pytest.mark.parametrize("extensions", [None, Extensions()])
def test_no_request_around(extensions: Any) -> None:
    """V2."""
    seen = view("tool_call", extensions=extensions)
    assert (seen.subject, seen.turn, seen.object, seen.roles, seen.labels) == (
        None,
        None,
        None,
        frozenset(),
        frozenset(),
    )
    assert type(seen.headers) is MappingProxyType
    assert not seen.headers
    assert "extensions" not in seen.to_dict()


def test_to_dict() -> None:
    """V3."""
    written = view("tool_call", "assistant", "llm_output", EXTENSIONS).to_dict()
    assert written == {
        "kind": "tool_call",
        "role": "assistant",
        "is_pre": True,
        "is_post": False,
        "action": "execute",
        "hook": "llm_output",
        "uri": "tool://web/search",
        "name": "search",
        "content": '{"q": "\\u00e9"}',
        "size_bytes": 15,
        "arguments": {"q": "é"},
        "properties": {"namespace": "web", "tool_id": "7"},
        "extensions": {
            "subject": {"id": "u", "type": "user", "roles": ["r1", "r2"], "permissions": [], "teams": []},
            "environment": "prod",
            "labels": ["a", "b"],
            "headers": {"Set-Cookie": "c"},
            "object": {"managed_by": "host", "permissions": ["p"], "trust_domain": None, "data_scope": []},
            "data": {
                "apply_labels": [],
                "denied_actions": [],
                "retention": {"max_age_seconds": 3, "policy": "persistent", "delete_after": None},
            },
            "agent": {"input": "do", "turn": 0},
        },
    }
    assert "s3cret" not in str(written)


def test_to_dict_without_content_or_context() -> None:
    """V3."""
    seen = view("tool_call", extensions=EXTENSIONS)
    assert {"content", "size_bytes"} & seen.to_dict(include_content=False).keys() == set()
    assert "extensions" not in seen.to_dict(include_context=False)
    assert seen.to_opa_input(include_content=False) == {"input": seen.to_dict(include_content=False)}
    sized = view("resource", content=None, size_bytes=9).to_dict()
    assert (sized["size_bytes"], "content" in sized) == (9, False)
    assert view("resource", size_bytes=9).to_dict()["size_bytes"] == 2


def test_repr() -> None:
    """V4."""
    assert repr(view("tool_call", "assistant", "llm_output")) == (
        "MessageView(kind=tool_call, role=assistant, pre, uri=tool://web/search, hook=llm_output)"
    )
    assert repr(view("text", "tool")) == "MessageView(kind=text, role=tool, post)"


def test_views_are_lazy_and_hold_references_only() -> None:
    """V2."""
    message = Message.model_validate({"role": "user", "content": [{"content_type": "text", "text": "hi"}] * 2})
    views = iter_views(message, "h", EXTENSIONS)
    assert isinstance(views, GeneratorType)
    seen = next(views)
    assert seen.raw is message.content[0]
    assert not hasattr(seen, "__dict__")
    with pytest.raises(AttributeError):
        seen.kind = ViewKind.TEXT


def test_views_can_be_copied_and_pickled() -> None:
    seen = view("tool_call", hook="h", extensions=EXTENSIONS)
    for other in (copy.copy(seen), pickle.loads(pickle.dumps(seen))):
        assert other.to_dict() == seen.to_dict()


def test_a_kind_nobody_knows() -> None:
    """Only a message that was never validated can hold one."""
    part = ContentPart.model_construct(content_type="zz")  # type: ignore[arg-type]
    message = Message.model_construct(role=Role.USER, content=[part])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="^Unknown content type: 'zz'$"):
        list(message.iter_views())
