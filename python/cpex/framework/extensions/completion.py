"""How a model's completion ended and what it cost."""

from enum import Enum

from pydantic import BaseModel, ConfigDict


class StopReason(str, Enum):
    """Why generation stopped."""

    END = "end"
    RETURN = "return"
    CALL = "call"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"


class TokenUsage(BaseModel):
    """Tokens of one completion."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    input_tokens: int
    output_tokens: int
    total_tokens: int


class CompletionExtension(BaseModel):
    """One completion."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    stop_reason: StopReason | None = None
    tokens: TokenUsage | None = None
    model: str | None = None
    raw_format: str | None = None
    created_at: str | None = None
    latency_ms: int | None = None
