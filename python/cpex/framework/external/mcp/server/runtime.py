"""The MCP plugin server as a program: `python -m cpex.framework.external.mcp.server.runtime`.

Serves the plugins of `PLUGINS_CONFIG_PATH` over HTTP, or over the standard streams (`PLUGINS_TRANSPORT`).
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from typing import Dict as Dict  # noqa: UP035 - a published name

from cpex.framework._lazy import names_from
from cpex.framework.constants import (
    GET_PLUGIN_CONFIG,
    GET_PLUGIN_CONFIGS,
    INVOKE_HOOK,
    MCP_SERVER_INSTRUCTIONS,
    MCP_SERVER_NAME,
)
from cpex.framework.external._server.listen import Listen, over_http, status_beside
from cpex.framework.external._server.program import level_of, log_to_stderr, run_program
from cpex.framework.external._server.service import Service
from cpex.framework.external.mcp.server.server import ExternalPluginServer
from cpex.framework.models import MCPServerConfig
from cpex.framework.settings import settings

__all__ = [
    "GET_PLUGIN_CONFIG",
    "GET_PLUGIN_CONFIGS",
    "INVOKE_HOOK",
    "MCP_SERVER_INSTRUCTIONS",
    "MCP_SERVER_NAME",
    "SERVER",
    "Dict",
    "SSLCapableMCPServer",
    "get_plugin_config",
    "get_plugin_configs",
    "invoke_hook",
    "log_level",
    "log_level_str",
    "run",
    "settings",
]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.settings": ("get_settings", "get_transport_settings"),
        },
    )

logger = logging.getLogger(__name__)

log_level_str: str = settings.log_level
log_level: int = level_of(log_level_str)

SERVER: ExternalPluginServer | None = None
"""The server that runs here."""


def _server() -> ExternalPluginServer:
    if SERVER is None:
        raise RuntimeError("Plugin server not initialized")
    return SERVER


async def get_plugin_configs() -> list[dict[str, Any]]:
    """List the configurations of the plugins.

    Returns:
        One mapping for each.

    Raises:
        RuntimeError: If no server runs here.
    """
    return await _server().get_plugin_configs()


async def get_plugin_config(name: str) -> dict[str, Any]:
    """Look a plugin's configuration up.

    Args:
        name: The plugin's name, in any case.

    Returns:
        The configuration; empty if there is no such plugin.

    Raises:
        RuntimeError: If no server runs here.
    """
    return await _server().get_plugin_config(name) or {}


async def invoke_hook(
    hook_type: str,
    plugin_name: str,
    payload: dict[str, Any],
    context: dict[str, Any],
) -> dict[str, Any]:
    """Run a hook of a plugin.

    Args:
        hook_type: Name of the hook.
        plugin_name: Name of the plugin.
        payload: The payload.
        context: The plugin's context.

    Returns:
        `plugin_name`, and `result` with `context` (if anything is in it) or `error`.

    Raises:
        RuntimeError: If no server runs here.
    """
    return await _server().invoke_hook(hook_type, plugin_name, payload, context)


class SSLCapableMCPServer:
    """Serves this module's plugins over HTTP."""

    def __init__(self, server_config: MCPServerConfig, *args: Any, **kwargs: Any) -> None:
        """Prepare to serve.

        Args:
            server_config: Where to listen.
            *args: Not used.
            **kwargs: Not used.
        """
        self.server_config = server_config

    async def run_streamable_http_async(self) -> None:
        """Serve until SIGINT or SIGTERM.

        Raises:
            OSError: If it cannot listen there.
            ValueError: If TLS cannot be set up.
            RuntimeError: If no server runs here, or a plugin cannot be loaded that must not be missing.
        """
        listen = over_http(self.server_config)
        if listen.tls is None and listen.uds is None:
            logger.warning("serving without TLS on %s:%s", listen.host, listen.port)
        # An address of others is named on purpose: servers of 0.1.x take that for a wish to be reached.
        listen = replace(listen, insecure=True)
        status = status_beside(listen)
        await Service(_server(), [listen] if status is None else [listen, status]).run_until_signal()


async def run() -> None:
    """Serve until SIGINT or SIGTERM, or until standard input ends.

    Raises:
        OSError: If it cannot listen there.
        ValueError: If TLS cannot be set up.
        RuntimeError: If a plugin cannot be loaded that must not be missing.
    """
    global SERVER
    log_to_stderr(log_level)
    SERVER = ExternalPluginServer()
    try:
        if _over_stdio():
            await Service(SERVER, [Listen(transport="stdio")]).run_until_signal()
        else:
            await SSLCapableMCPServer(SERVER.get_server_config()).run_streamable_http_async()
    finally:
        SERVER = None


def _over_stdio() -> bool:
    transport = settings.transport
    return transport == "stdio" if transport else not sys.stdin.isatty()


if __name__ == "__main__":
    run_program(run())
