"""Plugins that the tests of many managers load by kind, and a way to see which of them are alive."""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakSet

from cpex.framework import Plugin, PluginConfig, PluginContext, ToolPreInvokePayload, ToolPreInvokeResult

ALIVE: WeakSet[Plugin] = WeakSet()
ENDED: list[str] = []


class Counting(Plugin):
    """Counts its calls, in itself and in the request's state."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self.calls = 0
        ALIVE.add(self)

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> ToolPreInvokeResult:
        await asyncio.sleep(0)
        self.calls += 1
        context.global_context.state["seen"] = [*context.global_context.state.get("seen", ()), self.name]
        return ToolPreInvokeResult(
            modified_payload=payload.model_copy(
                update={"name": f"{payload.name}>{self.name}", "args": {"by": self.name}}
            )
        )


class Failing(Plugin):
    """Fails."""

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> ToolPreInvokeResult:
        raise ValueError("no")


class Writing(Plugin):
    """Works in the background for as long as its configuration says, and notes how it ended."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> ToolPreInvokeResult:
        try:
            await asyncio.sleep((self.config.config or {}).get("seconds", 0.01))
        except asyncio.CancelledError:
            ENDED.append("cancelled")
            raise
        ENDED.append("done")
        return ToolPreInvokeResult()

    async def shutdown(self) -> None:
        ENDED.append("shutdown")
