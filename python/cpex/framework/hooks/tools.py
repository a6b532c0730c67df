"""Hooks around a tool call."""

from enum import Enum
from typing import Any, Optional

from pydantic import Field, field_validator

from cpex.framework.hooks._deprecation import warn_headers_deprecated
from cpex.framework.hooks.http import HttpHeaderPayload
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginPayload, PluginResult


class ToolHookType(str, Enum):
    """Names of the tool hooks."""

    TOOL_PRE_INVOKE = "tool_pre_invoke"
    TOOL_POST_INVOKE = "tool_post_invoke"


class ToolPreInvokePayload(PluginPayload):
    """A tool about to be called."""

    name: str
    args: Optional[dict[str, Any]] = Field(default_factory=dict)
    headers: Optional[HttpHeaderPayload] = None

    @field_validator("headers")
    @classmethod
    def _warn_headers(cls, value: Optional[HttpHeaderPayload]) -> Optional[HttpHeaderPayload]:
        return warn_headers_deprecated("ToolPreInvokePayload", value)


class ToolPostInvokePayload(PluginPayload):
    """What a tool returned."""

    name: str
    result: Any


ToolPreInvokeResult = PluginResult[ToolPreInvokePayload]
ToolPostInvokeResult = PluginResult[ToolPostInvokePayload]


def _register_tool_hooks() -> None:
    registry = get_hook_registry()
    registry.register_hook(ToolHookType.TOOL_PRE_INVOKE, ToolPreInvokePayload, ToolPreInvokeResult)
    registry.register_hook(ToolHookType.TOOL_POST_INVOKE, ToolPostInvokePayload, ToolPostInvokeResult)


_register_tool_hooks()
