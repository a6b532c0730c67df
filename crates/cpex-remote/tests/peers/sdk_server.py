"""A server made with the official SDK of MCP (1.x or 2.x), with the three tools of a plugin server.

Usage: sdk_server.py stdio | sse PORT | json PORT | stateless PORT
"""

import asyncio
import sys

try:
    from mcp.server import MCPServer
except ImportError:
    from mcp.server.fastmcp import FastMCP as MCPServer


async def get_plugin_config(name: str) -> dict:
    """The configuration of the only plugin."""
    return {"name": "ProbePlugin", "priority": 42} if name.lower() == "probeplugin" else {}


async def invoke_hook(hook_type: str, plugin_name: str, payload: dict, context: dict) -> dict:
    """Echo, fail or wait."""
    if payload["name"] == "raise":
        raise RuntimeError("kaboom")
    if payload["name"] == "sleep":
        try:
            await asyncio.sleep(payload["args"]["seconds"])
        except asyncio.CancelledError:
            print("cancelled", file=sys.stderr, flush=True)
            raise
    result = {
        "continue_processing": payload["name"] != "deny",
        "modified_payload": payload,
        "metadata": {"hook": hook_type},
    }
    return {"plugin_name": plugin_name, "result": result, "context": context}


def main(kind, port="0"):
    """Serve."""
    settings = {"port": int(port), "json_response": kind == "json", "stateless_http": kind == "stateless"}
    two = MCPServer.__name__ == "MCPServer"
    server = MCPServer("sdk") if two else MCPServer("sdk", log_level="ERROR", **settings)
    server.tool()(get_plugin_config)
    server.tool()(invoke_hook)
    if kind == "stdio":
        server.run("stdio")
    else:
        server.run("streamable-http", **(settings if two else {}))


main(*sys.argv[1:])
