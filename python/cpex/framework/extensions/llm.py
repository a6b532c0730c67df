"""The model in use."""

from pydantic import BaseModel, ConfigDict, Field


class LLMExtension(BaseModel):
    """A language model and what it can do."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    model_id: str | None = None
    provider: str | None = None
    capabilities: list[str] = Field(default_factory=list)
