"""Plugins as a user of the gateway writes them; they run inside it."""

import asyncio
from pathlib import Path
from typing import Any

from cpex.framework import (
    HttpHeaderPayload,
    HttpPostRequestPayload,
    HttpPreRequestPayload,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginResult,
    PluginViolation,
    ToolPostInvokePayload,
    ToolPreInvokePayload,
)


class Gatekeeper(Plugin):
    """Denies, fails or hangs when the text of a call says so; marks what it let pass."""

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> PluginResult[Any]:
        match (payload.args or {}).get("text"):
            case "forbidden":
                violation = PluginViolation(
                    reason="Not today",
                    description="The text is forbidden",
                    code="FORBIDDEN",
                    details={"word": "forbidden"},
                )
                return PluginResult(continue_processing=False, violation=violation)
            case "fail":
                raise RuntimeError("the gatekeeper stumbles")
            case "hang":
                await asyncio.Event().wait()
        context.set_state("passed", True)
        return PluginResult()

    async def tool_post_invoke(self, payload: ToolPostInvokePayload, context: PluginContext) -> PluginResult[Any]:
        return PluginResult(metadata={"passed": context.get_state("passed")})


class Doorman(Plugin):
    """Reads a header of the request, and adds one to the response."""

    async def http_pre_request(self, payload: HttpPreRequestPayload, context: PluginContext) -> PluginResult[Any]:
        headers = payload.headers.model_dump()
        context.set_state("knock", headers.get("x-knock", "none"))
        return PluginResult()

    async def http_post_request(self, payload: HttpPostRequestPayload, context: PluginContext) -> PluginResult[Any]:
        response = payload.response_headers.model_dump() if payload.response_headers else {}
        response["x-knocked"] = str(context.get_state("knock"))
        return PluginResult(modified_payload=HttpHeaderPayload(response))


class Witness(Plugin):
    """Writes down which hooks were called."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self._trail = Path((config.config or {})["trail"])

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> PluginResult[Any]:
        return self._write(f"tool_pre_invoke {payload.name}")

    async def tool_post_invoke(self, payload: ToolPostInvokePayload, context: PluginContext) -> PluginResult[Any]:
        return self._write(f"tool_post_invoke {payload.name}")

    def _write(self, line: str) -> PluginResult[Any]:
        with self._trail.open("a") as trail:
            trail.write(f"{line}\n")
        return PluginResult()
