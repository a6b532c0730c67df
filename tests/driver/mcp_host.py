"""The least a host has to say to a plugin server over MCP."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Self

import httpx

HOOK = "tool_pre_invoke"


class McpHost:
    """A session with a server."""

    def __init__(self, url: str, **options: Any) -> None:
        """Prepare a session; `options` are those of `httpx.AsyncClient`."""
        self.url = url
        headers = {"accept": "application/json, text/event-stream", **options.pop("headers", {})}
        self.http = httpx.AsyncClient(headers=headers, timeout=30, **options)
        self._last = 0

    async def __aenter__(self) -> Self:
        about = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        response = await self.post("initialize", about)
        response.raise_for_status()
        self.http.headers["mcp-session-id"] = response.headers["mcp-session-id"]
        self.http.headers["mcp-protocol-version"] = "2025-11-25"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def post(self, method: str, params: dict[str, Any]) -> httpx.Response:
        """Make a request."""
        self._last += 1
        message = {"jsonrpc": "2.0", "id": self._last, "method": method, "params": params}
        return await self.http.post(self.url, json=message)

    async def tool(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; what its first text says."""
        response = await self.post("tools/call", {"name": tool, "arguments": arguments})
        response.raise_for_status()
        _, _, data = response.text.partition("data: ")
        return json.loads(json.loads(data)["result"]["content"][0]["text"])

    async def invoke(
        self, plugin: str, name: str, args: dict[str, Any] | None = None, hook: str = HOOK, **context: Any
    ) -> Any:
        """Run a hook with a tool's name and arguments."""
        full = {"state": {}, "metadata": {}, "global_context": {"request_id": "r"}, **context}
        payload = {"name": name, "args": args or {}}
        return await self.tool("invoke_hook", hook_type=hook, plugin_name=plugin, payload=payload, context=full)
