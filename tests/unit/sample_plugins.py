"""Plugins that the manager's tests load by kind."""

from __future__ import annotations

from typing import Any, ClassVar

from cpex.framework import (
    Plugin,
    PluginConfig,
    PluginContext,
    PluginResult,
    ToolPreInvokePayload,
    ToolPreInvokeResult,
    hook,
)


class Allow(Plugin):
    """Allows, and tells the class when it is shut down."""

    shut_down: ClassVar[list[str]] = []

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> ToolPreInvokeResult:
        return ToolPreInvokeResult(metadata={self.name: "ran"})

    async def shutdown(self) -> None:
        self.shut_down.append(self.name)


class BadShutdown(Allow):
    """Fails when it is shut down."""

    async def shutdown(self) -> None:
        raise RuntimeError("boom shut")


class BadConstructor(Plugin):
    """Can't be constructed."""

    def __init__(self, config: PluginConfig) -> None:
        raise ValueError("ctor boom")


class BadInitialize(Plugin):
    """Can't be initialized; says what it was configured with."""

    async def initialize(self) -> None:
        raise ValueError(f"init boom {self.config.config or ''}".strip())


class HalfHooks(Allow):
    """Answers `tool_pre_invoke` only."""


class RemoteLike(Plugin):
    """Answers every hook through `invoke_hook`."""

    async def invoke_hook(self, hook_type: str, payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult[Any](metadata={"hook": hook_type})


class OwnHooks(Plugin):
    """Answers hooks of an application; one of them looks misspelt, and one has its types with it."""

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> ToolPreInvokeResult:
        return ToolPreInvokeResult()

    tool_pre_invok = my_own_hook = tool_pre_invoke_v2 = tool_pre_invoke

    @hook("tool_pre_invokee", ToolPreInvokePayload, ToolPreInvokeResult)
    async def typed(self, payload: ToolPreInvokePayload, context: PluginContext) -> ToolPreInvokeResult:
        return ToolPreInvokeResult()
