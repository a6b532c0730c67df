"""Probes: external plugins and their servers."""

import asyncio
from pathlib import Path
from typing import Any

from cpex.framework import PluginConfig, PluginError, TenantPluginManager, ToolPreInvokePayload
from cpex.framework.models import Config

from .kit import HOOK, Ran, entry, invoked

PLUGIN = "ProbePlugin"


async def reached(timeout: float = 30, **section: Any) -> TenantPluginManager:
    """Returns a manager with the plugin on its server."""
    plugin = PluginConfig.model_validate({"name": PLUGIN, "kind": "external", "hooks": [HOOK], **section})
    manager = TenantPluginManager(Config(plugins=[plugin]), timeout=timeout)
    await manager.initialize()
    return manager


async def merged(folder: Path, socket: str) -> tuple[int, list[str], bool]:
    """Returns priority and tags of a plugin behind a Unix socket, and whether the plugin answers."""
    manager = await reached(unix_socket={"path": socket})
    (plugin,) = manager._registry.get_all_plugins()
    denied = not (await invoked(manager, ToolPreInvokePayload(name="deny"))).continue_processing
    await manager.shutdown()
    return plugin.priority, plugin.tags, denied


async def after_a_timeout(folder: Path, socket: str) -> tuple[bool, bool]:
    """Returns whether a slow call was too slow, and whether the next one, which is to be denied, is."""
    manager = await reached(timeout=0.5, unix_socket={"path": socket})
    try:
        await invoked(manager, ToolPreInvokePayload(name="sleep", args={"seconds": 1}))
        slow = False
    except PluginError:
        slow = True
    await asyncio.sleep(1)
    result = await invoked(manager, ToolPreInvokePayload(name="deny"))
    await manager.shutdown()
    return slow, not result.continue_processing


async def without_a_server(folder: Path, port: int) -> tuple[str, int]:
    """Returns how a manager starts whose MCP server is not there, and how many plugins it has."""
    plugin = PluginConfig.model_validate(
        {"name": PLUGIN, "kind": "external", "mcp": {"proto": "STREAMABLEHTTP", "url": f"http://localhost:{port}/mcp"}}
    )
    manager = TenantPluginManager(Config(plugins=[plugin]))
    starting = asyncio.ensure_future(manager.initialize())
    await asyncio.wait([starting])
    return "cancelled" if starting.cancelled() else str(starting.exception()), manager.plugin_count


async def unverified(folder: Path, target: str) -> int:
    """Returns how many plugins are loaded from a gRPC server whose certificate is not to be verified."""
    manager = await reached(grpc={"target": target, "tls": {"verify": False}})
    count = manager.plugin_count
    await manager.shutdown()
    return count


async def served_instances(folder: Path) -> list[str]:
    """Returns the names of the plugins of a server that was given an instance."""
    from cpex.framework import ExternalPluginServer

    server: Any = ExternalPluginServer(plugins=[Ran(entry(Ran))])
    await server.initialize()
    names = [config["name"] for config in await server.get_plugin_configs()]
    await server.shutdown()
    return names
