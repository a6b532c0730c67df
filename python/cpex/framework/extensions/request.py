"""The request a hook is part of."""

from pydantic import BaseModel, ConfigDict


class RequestExtension(BaseModel):
    """Identity, time and trace of a request."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    environment: str | None = None
    request_id: str | None = None
    timestamp: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
