"""The plugins that the benchmarks run. They do as little as a plugin can."""

import asyncio

from cpex.framework import Plugin, PluginContext, PluginResult
from cpex.framework.hooks.tools import ToolPreInvokePayload

Result = PluginResult[ToolPreInvokePayload]


class Allow(Plugin):
    """Returns a fresh result."""

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        return PluginResult(continue_processing=True)


class Suspend(Plugin):
    """Gives way to the event loop once."""

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        await asyncio.sleep(0)
        return PluginResult(continue_processing=True)


class Rewrite(Plugin):
    """Returns a payload with other arguments."""

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        return PluginResult(modified_payload=payload.model_copy(update={"args": {"query": "rewritten"}}))


class Remember(Plugin):
    """Writes request state and result metadata."""

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> Result:
        context.global_context.state["seen"] = payload.name
        context.set_state("seen", payload.name)
        return PluginResult(metadata={"seen": payload.name})
