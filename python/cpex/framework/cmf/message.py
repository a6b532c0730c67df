"""Messages and the content parts they are made of."""

import base64
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from cpex.framework._lazy import names_from

if TYPE_CHECKING:
    from cpex.framework.cmf.view import MessageView
    from cpex.framework.extensions.extensions import Extensions

if not TYPE_CHECKING:
    __getattr__ = names_from(__name__, {"cpex.framework.extensions.extensions": ("Extensions",)})


class Role(str, Enum):
    """Who says a message."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Channel(str, Enum):
    """Whom a model's message is meant for."""

    ANALYSIS = "analysis"
    COMMENTARY = "commentary"
    FINAL = "final"


class ContentType(str, Enum):
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


class ResourceType(str, Enum):
    """The kinds of resource."""

    FILE = "file"
    BLOB = "blob"
    URI = "uri"
    DATABASE = "database"
    API = "api"
    MEMORY = "memory"
    ARTIFACT = "artifact"


class ToolCall(BaseModel):
    """A request to call a tool."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    tool_call_id: str
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    namespace: str | None = None


class ToolResult(BaseModel):
    """What a tool returned."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    tool_call_id: str
    tool_name: str
    content: Any = None
    is_error: bool = False


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class Resource(BaseModel):
    """A resource with its content, either text or bytes.

    Bytes that are no UTF-8 are base64 in JSON; a key ``blob_encoding`` beside them says so, and is read back.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    resource_request_id: str
    uri: str
    name: str | None = None
    description: str | None = None
    resource_type: ResourceType
    content: str | None = None
    blob: bytes | None = None
    mime_type: str | None = None
    size_bytes: int | None = None
    annotations: dict[str, Any] = Field(default_factory=dict)
    version: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _decode_blob(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("blob_encoding") != "base64" or not isinstance(data.get("blob"), str):
            return data
        try:
            return {**data, "blob": base64.b64decode(data["blob"], validate=True)}
        except ValueError as error:
            raise ValueError("Resource 'blob' is not base64, although 'blob_encoding' says so") from error

    @model_validator(mode="after")
    def _check_single_source(self) -> Self:
        if self.content is not None and self.blob is not None:
            raise ValueError("Resource cannot have both 'content' and 'blob' set")
        return self

    # An annotated result would take the place of the model in its JSON schema.
    @model_serializer(mode="wrap", when_used="json")
    def _encode_blob(self, serialize: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        if self.blob is None or _is_utf8(self.blob):
            return serialize(self)
        written = serialize(self.model_copy(update={"blob": base64.b64encode(self.blob)}))
        return {**written, "blob_encoding": "base64"} if "blob" in written else written


class ResourceReference(BaseModel):
    """A resource without its content."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    resource_request_id: str
    uri: str
    name: str | None = None
    resource_type: ResourceType
    range_start: int | None = None
    range_end: int | None = None
    selector: str | None = None

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.range_start is not None and self.range_end is not None and self.range_end < self.range_start:
            raise ValueError(f"range_end ({self.range_end}) must be >= range_start ({self.range_start})")
        return self


class PromptRequest(BaseModel):
    """A request to render a prompt."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    prompt_request_id: str
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    server_id: str | None = None


class PromptResult(BaseModel):
    """A rendered prompt."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    prompt_request_id: str
    prompt_name: str
    messages: "list[Message]" = Field(default_factory=list)
    content: str | None = None
    is_error: bool = False
    error_message: str | None = None


class ImageSource(BaseModel):
    """Where an image is."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    type: Literal["url", "base64"]
    data: str
    media_type: str | None = None


class VideoSource(BaseModel):
    """Where a video is."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    type: Literal["url", "base64"]
    data: str
    media_type: str | None = None
    duration_ms: int | None = None


class AudioSource(BaseModel):
    """Where a recording is."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    type: Literal["url", "base64"]
    data: str
    media_type: str | None = None
    duration_ms: int | None = None


class DocumentSource(BaseModel):
    """Where a document is."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    type: Literal["url", "base64"]
    data: str
    media_type: str | None = None
    title: str | None = None


class ContentPart(BaseModel):
    """Base of the parts of a message."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    content_type: ContentType


class TextContent(ContentPart):
    """Text."""

    content_type: Literal[ContentType.TEXT] = ContentType.TEXT
    text: str


class ThinkingContent(ContentPart):
    """A model's reasoning."""

    content_type: Literal[ContentType.THINKING] = ContentType.THINKING
    text: str


class ToolCallContentPart(ContentPart):
    """A request to call a tool."""

    content_type: Literal[ContentType.TOOL_CALL] = ContentType.TOOL_CALL
    content: ToolCall


class ToolResultContentPart(ContentPart):
    """What a tool returned."""

    content_type: Literal[ContentType.TOOL_RESULT] = ContentType.TOOL_RESULT
    content: ToolResult


class ResourceContentPart(ContentPart):
    """A resource with its content."""

    content_type: Literal[ContentType.RESOURCE] = ContentType.RESOURCE
    content: Resource


class ResourceRefContentPart(ContentPart):
    """A resource without its content."""

    content_type: Literal[ContentType.RESOURCE_REF] = ContentType.RESOURCE_REF
    content: ResourceReference


class PromptRequestContentPart(ContentPart):
    """A request to render a prompt."""

    content_type: Literal[ContentType.PROMPT_REQUEST] = ContentType.PROMPT_REQUEST
    content: PromptRequest


class PromptResultContentPart(ContentPart):
    """A rendered prompt."""

    content_type: Literal[ContentType.PROMPT_RESULT] = ContentType.PROMPT_RESULT
    content: PromptResult


class ImageContentPart(ContentPart):
    """An image."""

    content_type: Literal[ContentType.IMAGE] = ContentType.IMAGE
    content: ImageSource


class VideoContentPart(ContentPart):
    """A video."""

    content_type: Literal[ContentType.VIDEO] = ContentType.VIDEO
    content: VideoSource


class AudioContentPart(ContentPart):
    """A recording."""

    content_type: Literal[ContentType.AUDIO] = ContentType.AUDIO
    content: AudioSource


class DocumentContentPart(ContentPart):
    """A document."""

    content_type: Literal[ContentType.DOCUMENT] = ContentType.DOCUMENT
    content: DocumentSource


def _content_type_discriminator(part: Any) -> str:
    """Reads the kind of a content part.

    Args:
        part: A content part, or a dict that describes one.

    Returns:
        The kind's value.

    Raises:
        ValueError: If it has none.
    """
    if isinstance(part, dict):
        content_type = part.get("content_type")
        if content_type is None:
            raise ValueError("Missing 'content_type' discriminator in content part dict")
    else:
        content_type = getattr(part, "content_type", None)
        if content_type is None:
            raise ValueError(f"Content part {type(part).__name__} missing 'content_type' attribute")
    return str(content_type.value if isinstance(content_type, Enum) else content_type)


ContentPartUnion = Annotated[
    Annotated[TextContent, Tag("text")]
    | Annotated[ThinkingContent, Tag("thinking")]
    | Annotated[ToolCallContentPart, Tag("tool_call")]
    | Annotated[ToolResultContentPart, Tag("tool_result")]
    | Annotated[ResourceContentPart, Tag("resource")]
    | Annotated[ResourceRefContentPart, Tag("resource_ref")]
    | Annotated[PromptRequestContentPart, Tag("prompt_request")]
    | Annotated[PromptResultContentPart, Tag("prompt_result")]
    | Annotated[ImageContentPart, Tag("image")]
    | Annotated[VideoContentPart, Tag("video")]
    | Annotated[AudioContentPart, Tag("audio")]
    | Annotated[DocumentContentPart, Tag("document")],
    Discriminator(_content_type_discriminator),
]


class Message(BaseModel):
    """What somebody says, part by part."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    schema_version: str = "2.0"
    role: Role
    content: list[ContentPartUnion] = Field(default_factory=list)
    channel: Channel | None = None

    def iter_views(self, hook: str | None = None, extensions: "Extensions | None" = None) -> "Iterator[MessageView]":
        """Looks at the message part by part.

        Args:
            hook: The hook it is evaluated at.
            extensions: What the host knows besides.

        Returns:
            One view for each content part, made as they are asked for.
        """
        # The module of the views imports this one.
        from cpex.framework.cmf.view import iter_views

        return iter_views(self, hook, extensions)
