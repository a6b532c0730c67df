"""Messages in the common format (V1, B34)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cpex.framework.cmf.message import (
    ContentType,
    ImageSource,
    Message,
    Resource,
    ResourceReference,
    Role,
    TextContent,
)


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


def resource(**fields: Any) -> Resource:
    return Resource.model_validate({"resource_request_id": "1", "uri": "u", "resource_type": "blob", **fields})


def test_a_resource_has_one_source() -> None:
    """V1."""
    with pytest.raises(ValidationError, match="Resource cannot have both 'content' and 'blob' set"):
        resource(content="", blob=b"")


def test_ranges_do_not_run_backwards() -> None:
    """V1."""
    fields = {"resource_request_id": "1", "uri": "u", "resource_type": "file", "range_start": 2}
    assert ResourceReference.model_validate({**fields, "range_end": 2}).range_end == 2
    with pytest.raises(ValidationError, match=r"range_end \(1\) must be >= range_start \(2\)"):
        ResourceReference.model_validate({**fields, "range_end": 1})


@pytest.mark.parametrize("blob", [b"\xff\x00", b"ab", b"abcd", b"/w==", b"", None])
def test_blobs_survive_json(blob: bytes | None) -> None:
    """B34."""
    before = resource(blob=blob)
    assert before.model_dump()["blob"] == blob
    assert Resource.model_validate_json(before.model_dump_json()) == before
    assert Resource.model_validate(before.model_dump(mode="json")) == before


def test_only_blobs_that_are_no_text_are_encoded() -> None:
    """B34."""
    text = resource(blob=b"ab").model_dump(mode="json")
    assert text["blob"] == "ab"
    assert "blob_encoding" not in text
    written = message({"content_type": "resource", "content": resource(blob=b"\xff")}).model_dump(mode="json")
    encoded = written["content"][0]["content"]
    assert (encoded["blob"], encoded["blob_encoding"]) == ("/w==", "base64")
    assert "blob_encoding" not in resource(blob=b"\xff").model_dump()
    assert "blob_encoding" not in resource(blob=b"\xff").model_dump(mode="json", exclude={"blob"})


def test_a_blob_that_is_not_what_it_says() -> None:
    """B34."""
    with pytest.raises(ValidationError, match="is not base64, although 'blob_encoding' says so"):
        resource(blob="no!", blob_encoding="base64")
