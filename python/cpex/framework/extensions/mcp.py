"""What an MCP server says of the tool, resource or prompt in question."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ToolMetadata(BaseModel):
    """A tool as its server lists it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    title: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    server_id: str | None = None
    namespace: str | None = None
    annotations: dict[str, Any] = Field(default_factory=dict)


class ResourceMetadata(BaseModel):
    """A resource as its server lists it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    uri: str
    name: str | None = None
    description: str | None = None
    mime_type: str | None = None
    server_id: str | None = None
    annotations: dict[str, Any] = Field(default_factory=dict)


class PromptMetadata(BaseModel):
    """A prompt as its server lists it."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    name: str
    description: str | None = None
    arguments: list[dict[str, Any]] | None = None
    server_id: str | None = None
    annotations: dict[str, Any] = Field(default_factory=dict)


class MCPExtension(BaseModel):
    """Metadata of the entity a hook is about."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    tool: ToolMetadata | None = None
    resource: ResourceMetadata | None = None
    prompt: PromptMetadata | None = None
