"""External plugins whose server is never reached, and servers that never listen, because of how they are written."""

from collections.abc import Iterator
from pathlib import Path

from cpex.framework.constants import EXTERNAL_PLUGIN_TYPE
from cpex.framework.external._server.listen import LAST_PORT
from cpex.framework.models import GRPCClientConfig, MCPClientConfig, TransportType

from ._codes import Code
from ._finding import Finding
from ._reading import Location, Plugin, Reading

_SOCKET = "unix:"


def unreachable_servers(reading: Reading) -> Iterator[Finding]:
    """Finds external plugins that cannot reach a server: what is written names none, or is not spoken."""
    for plugin in reading.plugins:
        if plugin.config.kind != EXTERNAL_PLUGIN_TYPE:
            continue
        for path, message, hint in _mistakes(plugin):
            at = plugin.entry.at(*path)
            yield reading.finding(Code.EXTERNAL_SERVER, at, message, hint, plugin.name)


def unusable_ports(reading: Reading) -> Iterator[Finding]:
    """Finds ports on which no server can listen. Port 0 is any that is free."""
    config = reading.config
    sections = {"server_settings": config.server_settings, "grpc_server_settings": config.grpc_server_settings}
    for name, section in sections.items():
        if section is not None and section.uds is None and not 0 <= section.port <= LAST_PORT:
            message = f"{name}.port: there is no port {section.port}"
            yield reading.finding(Code.INVALID_VALUE, (name, "port"), message, f"write one from 1 to {LAST_PORT}")


def _mistakes(plugin: Plugin) -> Iterator[tuple[Location, str, str]]:
    if plugin.config.mcp is not None:
        yield from _of_mcp(plugin.config.mcp)
    if plugin.config.grpc is not None:
        yield from _of_grpc(plugin.config.grpc)


def _of_mcp(mcp: MCPClientConfig) -> Iterator[tuple[Location, str, str]]:
    if mcp.proto is TransportType.SSE:
        hint = "write proto: STREAMABLEHTTP, and the address that the server has for it, mostly …/mcp"
        yield ("mcp", "proto"), "SSE is not spoken: MCP has replaced it by streamable HTTP", hint
    if mcp.script and not Path(mcp.script).expanduser().is_absolute():
        folder = Path(mcp.cwd or Path.cwd())
        if not (folder / mcp.script).is_file():
            hint = f"it is taken from {'cwd' if mcp.cwd else 'the working directory'}, {folder}"
            yield ("mcp", "script"), f"there is no script {mcp.script!r}", hint


def _of_grpc(grpc: GRPCClientConfig) -> Iterator[tuple[Location, str, str]]:
    targets: list[tuple[Location, str]] = [
        (("grpc", "endpoints", at), to) for at, to in enumerate(grpc.endpoints or ())
    ]
    if grpc.target and not (grpc.endpoints and grpc.target == grpc.endpoints[0]):
        targets.insert(0, (("grpc", "target"), grpc.target))
    for path, target in targets:
        if not target.startswith(_SOCKET) and not _is_port(target.rpartition(":")[2]):
            yield path, f"{target!r} names no port from 1 to {LAST_PORT}", "write it as host:port"


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(LAST_PORT)) and 1 <= int(text) <= LAST_PORT
