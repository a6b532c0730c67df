"""The kinds of content part, and what is particular to each: one table."""

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple


class ViewKind(str, Enum):
    """The kinds of content part."""

    TEXT = "text"
    THINKING = "thinking"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    RESOURCE = "resource"
    RESOURCE_REF = "resource_ref"
    PROMPT_REQUEST = "prompt_request"
    PROMPT_RESULT = "prompt_result"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


class ViewAction(str, Enum):
    """What a part does."""

    READ = "read"
    WRITE = "write"
    EXECUTE = "execute"
    INVOKE = "invoke"
    SEND = "send"
    RECEIVE = "receive"
    GENERATE = "generate"


class Family(Enum):
    """Kinds that are asked for together."""

    TEXT = "text"
    TOOL = "tool"
    PROMPT = "prompt"
    RESOURCE = "resource"
    MEDIA = "media"


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return str(value)


def utf8_length(text: str) -> int:
    """Count the bytes of a text in UTF-8.

    Args:
        text: Any text.

    Returns:
        The number of bytes.
    """
    # A lone surrogate has no UTF-8 form; it must not make a guard fail that only asks for a size.
    return len(text.encode("utf-8", "surrogatepass"))


def _nothing(part: Any) -> None:
    return None


def _no_properties(part: Any) -> dict[str, Any]:
    return {}


def _tool_result_text(part: Any) -> str | None:
    content = part.content.content
    return content if content is None or isinstance(content, str) else _as_json(content)


def _resource_size(part: Any) -> int | None:
    resource = part.content
    if resource.size_bytes is not None:
        return int(resource.size_bytes)
    if resource.content:
        return utf8_length(resource.content)
    return len(resource.blob) if resource.blob else None


class Traits(NamedTuple):
    """What is particular to one kind of part; the defaults are what most kinds have in common.

    Attributes:
        family: Which of the `is_*` questions is answered with yes.
        action: What the part does; None: as the role of the message says.
        is_pre: Whether it precedes an operation; None: as the role of the message says.
        arguments: Whether it carries arguments.
        size: Reads its size in bytes; None: that of its text.
    """

    family: Family
    action: ViewAction | None = None
    is_pre: bool | None = None
    arguments: bool = False
    content: Callable[[Any], str | None] = _nothing
    uri: Callable[[Any], str | None] = _nothing
    name: Callable[[Any], str | None] = _nothing
    mime_type: Callable[[Any], str | None] = _nothing
    size: Callable[[Any], int | None] | None = None
    properties: Callable[[Any], dict[str, Any]] = _no_properties


_TEXT = Traits(Family.TEXT, content=lambda part: part.text)
_MEDIA = Traits(Family.MEDIA, mime_type=lambda part: part.content.media_type)

TRAITS: Mapping[ViewKind, Traits] = {
    ViewKind.TEXT: _TEXT,
    ViewKind.THINKING: _TEXT,
    ViewKind.TOOL_CALL: Traits(
        Family.TOOL,
        ViewAction.EXECUTE,
        is_pre=True,
        arguments=True,
        content=lambda part: _as_json(part.content.arguments),
        uri=lambda part: f"tool://{part.content.namespace or '_'}/{part.content.name}",
        name=lambda part: part.content.name,
        properties=lambda part: {"namespace": part.content.namespace, "tool_id": part.content.tool_call_id},
    ),
    ViewKind.TOOL_RESULT: Traits(
        Family.TOOL,
        ViewAction.RECEIVE,
        is_pre=False,
        content=_tool_result_text,
        uri=lambda part: f"tool_result://{part.content.tool_name}",
        name=lambda part: part.content.tool_name,
        properties=lambda part: {"is_error": part.content.is_error, "tool_name": part.content.tool_name},
    ),
    ViewKind.RESOURCE: Traits(
        Family.RESOURCE,
        ViewAction.READ,
        is_pre=False,
        content=lambda part: part.content.content,
        uri=lambda part: part.content.uri,
        name=lambda part: part.content.name,
        mime_type=lambda part: part.content.mime_type,
        size=_resource_size,
        properties=lambda part: {
            "resource_type": part.content.resource_type.value,
            "version": part.content.version,
            "annotations": part.content.annotations,
        },
    ),
    ViewKind.RESOURCE_REF: Traits(
        Family.RESOURCE,
        ViewAction.READ,
        is_pre=True,
        uri=lambda part: part.content.uri,
        name=lambda part: part.content.name,
    ),
    ViewKind.PROMPT_REQUEST: Traits(
        Family.PROMPT,
        ViewAction.INVOKE,
        is_pre=True,
        arguments=True,
        content=lambda part: _as_json(part.content.arguments),
        uri=lambda part: f"prompt://{part.content.server_id or '_'}/{part.content.name}",
        name=lambda part: part.content.name,
        properties=lambda part: {"server_id": part.content.server_id},
    ),
    ViewKind.PROMPT_RESULT: Traits(
        Family.PROMPT,
        ViewAction.RECEIVE,
        is_pre=False,
        content=lambda part: part.content.content,
        uri=lambda part: f"prompt_result://{part.content.prompt_name}",
        name=lambda part: part.content.prompt_name,
        properties=lambda part: {
            "is_error": part.content.is_error,
            "message_count": len(part.content.messages),
        },
    ),
    ViewKind.IMAGE: _MEDIA,
    ViewKind.VIDEO: _MEDIA,
    ViewKind.AUDIO: _MEDIA,
    ViewKind.DOCUMENT: _MEDIA,
}
KINDS: Mapping[str, ViewKind] = {kind.value: kind for kind in ViewKind}
