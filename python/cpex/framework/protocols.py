"""Shapes that payloads accept without depending on a particular message library."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class MessageLike(Protocol):
    """A chat message: a role and some content."""

    role: str
    content: Any


@runtime_checkable
class PromptResultLike(Protocol):
    """A rendered prompt: messages and, perhaps, a description."""

    messages: Sequence[MessageLike]
    description: str | None
