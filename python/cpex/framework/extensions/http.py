"""The HTTP request a hook is part of."""

from pydantic import BaseModel, ConfigDict, Field


class HttpExtension(BaseModel):
    """HTTP headers."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    headers: dict[str, str] = Field(default_factory=dict)
