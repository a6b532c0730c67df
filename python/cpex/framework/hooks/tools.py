"""Hooks around a tool call."""

from enum import Enum
from typing import Any

from pydantic import Field, field_validator

from cpex.framework.hooks._deprecation import warn_headers_deprecated
from cpex.framework.hooks.http import HttpHeaderPayload
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginPayload, PluginResult


class ToolHookType(str, Enum):
    """Names of the tool hooks."""

    TOOL_PRE_INVOKE = "tool_pre_invoke"
    TOOL_POST_INVOKE = "tool_post_invoke"


class ToolPreInvokePayload(PluginPayload, defer_build=True):
    """A tool about to be called."""

    name: str
    args: dict[str, Any] | None = Field(default_factory=dict)
    headers: HttpHeaderPayload | None = None

    @field_validator("headers")
    @classmethod
    def _warn_headers(cls, value: HttpHeaderPayload | None) -> HttpHeaderPayload | None:
        return warn_headers_deprecated("ToolPreInvokePayload", value)


class ToolPostInvokePayload(PluginPayload, defer_build=True):
    """What a tool returned."""

    name: str
    result: Any


ToolPreInvokeResult = PluginResult[ToolPreInvokePayload]
ToolPostInvokeResult = PluginResult[ToolPostInvokePayload]


def _register_tool_hooks() -> None:
    registry = get_hook_registry()
    registry._register_builtin(ToolHookType.TOOL_PRE_INVOKE, ToolPreInvokePayload, ToolPreInvokeResult)
    registry._register_builtin(ToolHookType.TOOL_POST_INVOKE, ToolPostInvokePayload, ToolPostInvokeResult)


_register_tool_hooks()
