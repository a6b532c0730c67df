"""Hooks around an agent's turn."""

from enum import Enum
from typing import TYPE_CHECKING, Any
from typing import Dict as Dict  # noqa: UP035 - a public name of 0.1.x
from typing import List as List  # noqa: UP035 - a public name of 0.1.x

from pydantic import Field, field_validator

from cpex.framework._lazy import names_from
from cpex.framework.hooks._deprecation import warn_headers_deprecated
from cpex.framework.hooks.http import HttpHeaderPayload
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginPayload, PluginResult
from cpex.framework.utils import coerce_messages

if not TYPE_CHECKING:
    __getattr__ = names_from(__name__, {"cpex.framework.protocols": ("MessageLike",)})


class AgentHookType(str, Enum):
    """Names of the agent hooks."""

    AGENT_PRE_INVOKE = "agent_pre_invoke"
    AGENT_POST_INVOKE = "agent_post_invoke"


class AgentPreInvokePayload(PluginPayload, defer_build=True):
    """An agent about to be asked. Messages given as dicts become objects with attributes."""

    agent_id: str
    messages: list[Any]
    tools: list[str] | None = None
    headers: HttpHeaderPayload | None = None
    model: str | None = None
    system_prompt: str | None = None
    parameters: dict[str, Any] | None = Field(default_factory=dict)

    @field_validator("headers")
    @classmethod
    def _warn_headers(cls, value: HttpHeaderPayload | None) -> HttpHeaderPayload | None:
        return warn_headers_deprecated("AgentPreInvokePayload", value)

    @field_validator("messages", mode="before")
    @classmethod
    def _coerce_messages(cls, value: Any) -> Any:
        return coerce_messages(value)


class AgentPostInvokePayload(PluginPayload, defer_build=True):
    """An agent's answer. Messages given as dicts become objects with attributes."""

    agent_id: str
    messages: list[Any]
    tool_calls: list[dict[str, Any]] | None = None

    @field_validator("messages", mode="before")
    @classmethod
    def _coerce_messages(cls, value: Any) -> Any:
        return coerce_messages(value)


AgentPreInvokeResult = PluginResult[AgentPreInvokePayload]
AgentPostInvokeResult = PluginResult[AgentPostInvokePayload]


def _register_agent_hooks() -> None:
    registry = get_hook_registry()
    registry._register_builtin(AgentHookType.AGENT_PRE_INVOKE, AgentPreInvokePayload, AgentPreInvokeResult)
    registry._register_builtin(AgentHookType.AGENT_POST_INVOKE, AgentPostInvokePayload, AgentPostInvokeResult)


_register_agent_hooks()
