"""Messages in the common format (V1, B34)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cpex.framework.cmf.message import ContentType, ImageSource, Message, Resource, ResourceType, Role, TextContent


def message(*content: Any) -> Message:
    return Message.model_validate({"role": "user", "content": list(content)})


def test_defaults() -> None:
    assert Message(role=Role.USER).model_dump(mode="json") == {
        "schema_version": "2.0",
        "role": "user",
        "content": [],
        "channel": None,
    }


@pytest.mark.parametrize("content_type", ["text", ContentType.TEXT])
def test_parts_are_told_apart_by_their_content_type(content_type: Any) -> None:
    assert message({"content_type": content_type, "text": "x"}).content == [TextContent(text="x")]


def test_parts_without_a_content_type() -> None:
    with pytest.raises(ValueError, match="^Missing 'content_type' discriminator in content part dict$"):
        message({"text": "x"})
    with pytest.raises(ValueError, match="^Content part int missing 'content_type' attribute$"):
        message(5)
    with pytest.raises(ValidationError, match="Input tag 'zz'"):
        message({"content_type": "zz"})


def test_frozen_and_closed() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Message.model_validate({"role": "user", "zz": 1})
    with pytest.raises(ValidationError, match="Instance is frozen"):
        Message(role=Role.USER).role = Role.TOOL  # type: ignore[misc]
    with pytest.raises(ValidationError):
        ImageSource.model_validate({"type": "file", "data": ""})


def test_prompt_results_hold_messages() -> None:
    inner = {"role": "assistant", "content": [{"content_type": "text", "text": "q"}]}
    outer = message(
        {
            "content_type": "prompt_result",
            "content": {"prompt_request_id": "1", "prompt_name": "n", "messages": [inner]},
        }
    )
    assert outer.model_dump()["content"][0]["content"]["messages"][0]["content"][0]["text"] == "q"
    assert Message.model_validate_json(outer.model_dump_json()) == outer


@pytest.mark.parametrize("blob", [b"\xff\x00", b"ab", b"", None])
def test_blobs_survive_json(blob: bytes | None) -> None:
    resource = Resource(resource_request_id="1", uri="u", resource_type=ResourceType.BLOB, blob=blob)
    assert resource.model_dump()["blob"] == blob
    assert Resource.model_validate_json(resource.model_dump_json()) == resource


def test_blobs_in_json_are_base64() -> None:
    resource = Resource(resource_request_id="1", uri="u", resource_type=ResourceType.BLOB, blob=b"\xff")
    assert resource.model_dump(mode="json")["blob"] == "/w=="
