"""An isolated plugin that both packages run: the name of the tool says what it does."""

import asyncio
import os
import sys
from typing import Any

import cpex
from cpex.framework import Plugin, PluginContext, PluginError, PluginErrorModel, PluginResult

Result = PluginResult[Any]


class Probe(Plugin):
    """Keeps nothing between calls."""

    async def initialize(self) -> None:
        if (self.config.config or {}).get("fails"):
            raise RuntimeError("no model here")

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> Result:
        result: Result = await getattr(self, f"_{payload.name}")(context, **(payload.args or {}))
        return result

    async def _tell(self, context: PluginContext, **args: Any) -> Result:
        told = {"pid": os.getpid(), "prefix": sys.prefix, "cpex": cpex.__file__, "variables": sorted(os.environ)}
        return PluginResult(metadata=told)

    async def _write(self, context: PluginContext) -> Result:
        context.global_context.state["who"] = "probe"
        context.global_context.state.pop("gone", None)
        return PluginResult()

    async def _complain(self, context: PluginContext) -> Result:
        raise PluginError(PluginErrorModel(message="sorry", plugin_name="x", code="E1", details={"a": [1]}))

    async def _infinite(self, context: PluginContext) -> Result:
        return PluginResult(metadata={"n": float("inf")})

    async def _say(self, context: PluginContext, size: int) -> Result:
        return PluginResult(metadata={"text": "x" * size})

    async def _wait(self, context: PluginContext) -> Result:
        await asyncio.Event().wait()
        raise AssertionError

    async def _end(self, context: PluginContext) -> Result:
        os._exit(1)
