"""The agent framework a request comes from."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class FrameworkExtension(BaseModel):
    """The framework and the place in its graph."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    framework: str | None = None
    framework_version: str | None = None
    node_id: str | None = None
    graph_id: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
