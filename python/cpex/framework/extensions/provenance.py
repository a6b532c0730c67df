"""Where a message comes from."""

from pydantic import BaseModel, ConfigDict


class ProvenanceExtension(BaseModel):
    """The source of a message and the message it answers."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    source: str | None = None
    message_id: str | None = None
    parent_id: str | None = None
