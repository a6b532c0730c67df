"""Tags and properties the host attaches to a request."""

from pydantic import BaseModel, ConfigDict, Field


class MetaExtension(BaseModel):
    """Tags, scope and properties."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    tags: frozenset[str] = Field(default_factory=frozenset)
    scope: str | None = None
    properties: dict[str, str] = Field(default_factory=dict)
