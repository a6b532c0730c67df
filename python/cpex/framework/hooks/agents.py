"""Hooks around an agent's turn."""

from enum import Enum
from typing import Any, Dict, List, Optional

from pydantic import Field, field_validator

from cpex.framework.hooks._deprecation import warn_headers_deprecated
from cpex.framework.hooks.http import HttpHeaderPayload
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginPayload, PluginResult
from cpex.framework.utils import coerce_messages


class AgentHookType(str, Enum):
    """Names of the agent hooks."""

    AGENT_PRE_INVOKE = "agent_pre_invoke"
    AGENT_POST_INVOKE = "agent_post_invoke"


class AgentPreInvokePayload(PluginPayload):
    """An agent about to be asked. Messages given as dicts become objects with attributes."""

    agent_id: str
    messages: List[Any]
    tools: Optional[List[str]] = None
    headers: Optional[HttpHeaderPayload] = None
    model: Optional[str] = None
    system_prompt: Optional[str] = None
    parameters: Optional[Dict[str, Any]] = Field(default_factory=dict)

    @field_validator("headers")
    @classmethod
    def _warn_headers(cls, value: Optional[HttpHeaderPayload]) -> Optional[HttpHeaderPayload]:
        return warn_headers_deprecated("AgentPreInvokePayload", value)

    @field_validator("messages", mode="before")
    @classmethod
    def _coerce_messages(cls, value: Any) -> Any:
        return coerce_messages(value)


class AgentPostInvokePayload(PluginPayload):
    """An agent's answer. Messages given as dicts become objects with attributes."""

    agent_id: str
    messages: List[Any]
    tool_calls: Optional[List[Dict[str, Any]]] = None

    @field_validator("messages", mode="before")
    @classmethod
    def _coerce_messages(cls, value: Any) -> Any:
        return coerce_messages(value)


AgentPreInvokeResult = PluginResult[AgentPreInvokePayload]
AgentPostInvokeResult = PluginResult[AgentPostInvokePayload]


def _register_agent_hooks() -> None:
    registry = get_hook_registry()
    registry.register_hook(AgentHookType.AGENT_PRE_INVOKE, AgentPreInvokePayload, AgentPreInvokeResult)
    registry.register_hook(AgentHookType.AGENT_POST_INVOKE, AgentPostInvokePayload, AgentPostInvokeResult)


_register_agent_hooks()
