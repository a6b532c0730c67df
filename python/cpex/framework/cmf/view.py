"""One way to look at every content part of a message: what it is, what it acts on and who asks.

A policy reads the same members whether the part is a tool call, a resource or plain text. A view holds references
only; each member is worked out when it is read.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cpex.framework._lazy import names_from
from cpex.framework.cmf._context import RequestContext
from cpex.framework.cmf._kinds import KINDS, TRAITS, Family, ViewAction, ViewKind, utf8_length
from cpex.framework.cmf.message import ContentPart, Message, Role

__all__ = ["MessageView", "ViewAction", "ViewKind", "iter_views"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.cmf.message": ("ContentType", "Resource"),
            "cpex.framework.extensions.security": ("DataPolicy", "ObjectSecurityProfile", "SubjectExtension"),
        },
    )

_ROLE_ACTIONS = {Role.ASSISTANT: ViewAction.GENERATE, Role.TOOL: ViewAction.RECEIVE}
_OUTPUT_ROLES = frozenset({Role.ASSISTANT, Role.TOOL})


@lru_cache(maxsize=512)
def _uri_pattern(pattern: str) -> re.Pattern[str]:
    wildcards = {"**": ".*", "*": "[^/]*"}
    pieces = re.split(r"(\*\*|\*)", pattern)
    return re.compile("".join(wildcards.get(piece) or re.escape(piece) for piece in pieces), re.DOTALL)


class MessageView(RequestContext):
    """One content part of a message, with the message and the request around it."""

    __slots__ = ("_hook", "_kind", "_message", "_part")

    def __init__(
        self,
        part: ContentPart,
        kind: ViewKind,
        message: Message,
        hook: str | None = None,
        extensions: Any = None,
    ) -> None:
        """Look at a part.

        Args:
            part: The content part.
            kind: Its kind.
            message: The message it belongs to.
            hook: The hook it is evaluated at.
            extensions: What the host knows besides, as far as the reader may see it.
        """
        self._part = part
        self._kind = kind
        self._message = message
        self._hook = hook
        self._extensions = extensions

    @property
    def kind(self) -> ViewKind:
        """The kind of part."""
        return self._kind

    @property
    def role(self) -> Role:
        """Who says the message."""
        return self._message.role

    @property
    def hook(self) -> str | None:
        """The hook the part is evaluated at."""
        return self._hook

    @property
    def raw(self) -> ContentPart:
        """The content part itself."""
        return self._part

    @property
    def content(self) -> str | None:
        """The part as text: arguments and structured results as JSON, None for what has no text."""
        return TRAITS[self._kind].content(self._part)

    @property
    def text(self) -> str | None:
        """The same as `content`."""
        return self.content

    @property
    def uri(self) -> str | None:
        """What the part acts on, e.g. `tool://namespace/name`; None for text and media."""
        return TRAITS[self._kind].uri(self._part)

    @property
    def name(self) -> str | None:
        """Name of the tool, prompt or resource."""
        return TRAITS[self._kind].name(self._part)

    @property
    def action(self) -> ViewAction:
        """What the part does."""
        return TRAITS[self._kind].action or _ROLE_ACTIONS.get(self._message.role, ViewAction.SEND)

    @property
    def is_pre(self) -> bool:
        """Whether the part precedes an operation."""
        is_pre = TRAITS[self._kind].is_pre
        return self._message.role not in _OUTPUT_ROLES if is_pre is None else is_pre

    @property
    def is_post(self) -> bool:
        """Whether the part follows an operation."""
        return not self.is_pre

    @property
    def is_tool(self) -> bool:
        """Whether it is a tool call or result."""
        return TRAITS[self._kind].family is Family.TOOL

    @property
    def is_prompt(self) -> bool:
        """Whether it is a prompt request or result."""
        return TRAITS[self._kind].family is Family.PROMPT

    @property
    def is_resource(self) -> bool:
        """Whether it is a resource or a reference to one."""
        return TRAITS[self._kind].family is Family.RESOURCE

    @property
    def is_text(self) -> bool:
        """Whether it is text or reasoning."""
        return TRAITS[self._kind].family is Family.TEXT

    @property
    def is_media(self) -> bool:
        """Whether it is an image, a video, audio or a document."""
        return TRAITS[self._kind].family is Family.MEDIA

    @property
    def args(self) -> dict[str, Any] | None:
        """Arguments of a tool call or prompt request; None for every other kind."""
        part: Any = self._part
        return part.content.arguments if TRAITS[self._kind].arguments else None

    def get_arg(self, name: str, default: Any = None) -> Any:
        """Read an argument.

        Args:
            name: Name of the argument.
            default: What to return if there is none.

        Returns:
            The argument or the default.
        """
        return (self.args or {}).get(name, default)

    def has_arg(self, name: str) -> bool:
        """Tell whether there is an argument.

        Args:
            name: Name of the argument.

        Returns:
            True if there is, whatever its value.
        """
        return name in (self.args or {})

    @property
    def mime_type(self) -> str | None:
        """Media type of a resource, an image, a video, audio or a document."""
        return TRAITS[self._kind].mime_type(self._part)

    @property
    def size_bytes(self) -> int | None:
        """Size in bytes: what a resource says of itself, else the length of its data; of other kinds, of the text."""
        size = TRAITS[self._kind].size
        if size is not None:
            return size(self._part)
        return None if (content := self.content) is None else utf8_length(content)

    @property
    def properties(self) -> dict[str, Any]:
        """What else is known of a tool, prompt or resource."""
        return TRAITS[self._kind].properties(self._part)

    def get_property(self, name: str, default: Any = None) -> Any:
        """Read one of the properties.

        Args:
            name: Its name.
            default: What to return if the kind has no such property.

        Returns:
            The property or the default.
        """
        return self.properties.get(name, default)

    def has_content(self) -> bool:
        """Tell whether the part has text, be it empty.

        Returns:
            True if `content` is not None.
        """
        return self.content is not None

    def matches_uri_pattern(self, pattern: str) -> bool:
        """Compare the whole URI with a pattern.

        Args:
            pattern: `**` stands for anything, `*` for anything but a slash, all else for itself.

        Returns:
            True if it matches; False without a URI.
        """
        uri = self.uri
        return _uri_pattern(pattern).fullmatch(uri) is not None if uri else False

    def to_dict(self, include_content: bool = True, include_context: bool = True) -> dict[str, Any]:
        """Write down the view for a policy engine or a log. Claims and credential headers are left out.

        Args:
            include_content: Whether to include text and size.
            include_context: Whether to include the request around the message.

        Returns:
            What is known of the part; members without a value are left out.
        """
        written: dict[str, Any] = {
            "kind": self._kind.value,
            "role": self._message.role.value,
            "is_pre": self.is_pre,
            "is_post": self.is_post,
            "action": self.action.value,
        }
        if self._hook is not None:
            written["hook"] = self._hook
        written |= {key: value for key, value in (("uri", self.uri), ("name", self.name)) if value}
        if include_content:
            written |= self._content_to_dict()
        if mime_type := self.mime_type:
            written["mime_type"] = mime_type
        if (arguments := self.args) is not None:
            written["arguments"] = arguments
        if properties := self.properties:
            written["properties"] = properties
        if include_context and (context := self._context_to_dict()):
            written["extensions"] = context
        return written

    def _content_to_dict(self) -> dict[str, Any]:
        content = self.content
        if content is not None:
            return {"content": content, "size_bytes": utf8_length(content)}
        size = self.size_bytes
        return {} if size is None else {"size_bytes": size}

    def to_opa_input(self, include_content: bool = True) -> dict[str, Any]:
        """Write down the view as the input document of an Open Policy Agent query.

        Args:
            include_content: Whether to include text and size.

        Returns:
            `to_dict` under the key `input`.
        """
        return {"input": self.to_dict(include_content=include_content)}

    def __repr__(self) -> str:
        facts = [f"kind={self._kind.value}", f"role={self._message.role.value}", "pre" if self.is_pre else "post"]
        facts += [f"{key}={value}" for key, value in (("uri", self.uri), ("hook", self._hook)) if value]
        return f"MessageView({', '.join(facts)})"


def iter_views(message: Message, hook: str | None = None, extensions: Any = None) -> Iterator[MessageView]:
    """Look at a message part by part.

    Args:
        message: The message.
        hook: The hook it is evaluated at.
        extensions: What the host knows besides, as far as the reader may see it.

    Yields:
        One view for each content part, made when it is asked for.

    Raises:
        ValueError: If the kind of a part is unknown, which no validated message can hold.
    """
    for part in message.content:
        kind = KINDS.get(part.content_type)
        if kind is None:
            raise ValueError(f"Unknown content type: {part.content_type!r}")
        yield MessageView(part, kind, message, hook, extensions)
