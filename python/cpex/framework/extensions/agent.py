"""The agent that makes a request."""

from typing import Annotated

from annotated_types import MaxLen
from pydantic import BaseModel, ConfigDict, Field

_MAX_HISTORY = 100


class ConversationContext(BaseModel):
    """What was said before."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    history: Annotated[list[BaseModel], MaxLen(_MAX_HISTORY)] = Field(default_factory=list)
    summary: str | None = None
    topics: list[str] = Field(default_factory=list)


class AgentExtension(BaseModel):
    """The agent, its session and its place in a conversation."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    input: str | None = None
    session_id: str | None = None
    conversation_id: str | None = None
    turn: int | None = None
    agent_id: str | None = None
    parent_agent_id: str | None = None
    conversation: ConversationContext | None = None
