"""A client made with the official SDK of MCP (1.x or 2.x): asks a server for everything and prints what it got.

Usage: sdk_client.py http URL | stdio PROGRAM ARGUMENT…
"""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

import mcp
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

CALL = {
    "hook_type": "tool_pre_invoke",
    "plugin_name": "ProbePlugin",
    "payload": {"name": "modify", "args": {"n": 2**63, "f": 5.0}},
    "context": {"state": {}, "metadata": {}, "global_context": {"request_id": "r"}},
}


def transport(kind, words):
    """Streams to the server."""
    if kind == "http":
        return streamable_http_client(words[0])
    return stdio_client(StdioServerParameters(command=words[0], args=words[1:]))


@asynccontextmanager
async def session(kind, words):
    """A session of the kind that every version of the SDK has."""
    async with transport(kind, words) as streams, ClientSession(*streams[:2]) as opened:
        await opened.initialize()
        yield opened


def text(result):
    """The first text of a tool."""
    return result.content[0].text


def is_error(result):
    """Did the tool fail?"""
    return result.is_error if hasattr(result, "is_error") else result.isError


async def ask(client):
    """Everything there is to ask."""
    configs = await client.call_tool("get_plugin_configs", {})
    unknown = await client.call_tool("nope", {})
    slow = {**CALL, "payload": {"name": "sleep", "args": {"seconds": 600}}}
    try:
        await asyncio.wait_for(client.call_tool("invoke_hook", slow), 0.5)
        gave_up = False
    except TimeoutError:
        gave_up = True
    structured = configs.structured_content if hasattr(configs, "structured_content") else configs.structuredContent
    return {
        "tools": sorted(tool.name for tool in (await client.list_tools()).tools),
        "configs": [config["name"] for config in structured["result"]],
        "config": json.loads(text(await client.call_tool("get_plugin_config", {"name": "probeplugin"})))["name"],
        "missing": json.loads(text(await client.call_tool("get_plugin_config", {"name": "nobody"}))),
        "invoked": json.loads(text(await client.call_tool("invoke_hook", CALL)))["result"]["modified_payload"]["args"],
        "unknown": [is_error(unknown), text(unknown)],
        "gave_up": gave_up,
    }


async def main(kind, *words):
    """Ask in every way this version of the SDK has."""
    async with session(kind, words) as client:
        answers = [await ask(client)]
    if hasattr(mcp, "Client") and kind == "http":
        async with mcp.Client(words[0]) as client:
            answers.append(await ask(client))
    print(json.dumps(answers))


asyncio.run(main(*sys.argv[1:]))
