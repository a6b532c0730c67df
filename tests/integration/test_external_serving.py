"""Servers that a program starts, and those of 0.1.x: calls under way finish after SIGTERM (B2, B25, W60)."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.integration.server_process import MODULES, PATIENCE, PLUGIN, Place, ServerProcess

from cpex.framework import ConfigLoader, GlobalContext, PluginResult, TenantPluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload

HOOK = "tool_pre_invoke"
SLOW = """
from pathlib import Path

from probe_plugin import ProbePlugin


class Slow(ProbePlugin):
    async def tool_pre_invoke(self, payload, context):
        if payload.name == "sleep":
            Path("begun").touch()
        return await super().tool_pre_invoke(payload, context)
"""
ENTRY = {**PLUGIN, "kind": "slow.Slow"}
PROGRAM = """
import json
import sys

from slow import Slow

from cpex.framework import ExternalPluginServer, PluginConfig

entry, options = map(json.loads, sys.argv[1:])
ExternalPluginServer(plugins=[Slow(PluginConfig(**entry))]).run(**options)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    return Place(tmp_path)


async def host_of(place: Place, section: dict[str, Any]) -> TenantPluginManager:
    manager = TenantPluginManager(ConfigLoader.load_config(str(place.host_config(**section))), timeout=PATIENCE)
    await manager.initialize()
    assert manager.load_failures == []
    return manager


async def ask(manager: TenantPluginManager, name: str, **args: Any) -> PluginResult[Any]:
    payload = ToolPreInvokePayload(name=name, args=args)
    result, _ = await manager.invoke_hook(HOOK, payload, GlobalContext(request_id=name))
    return result


async def check_drain(place: Place, server: ServerProcess, section: dict[str, Any]) -> None:
    """A call that is under way when the server is told to stop has its answer, and the server ends."""
    manager = await host_of(place, section)
    assert not (await ask(manager, "deny")).continue_processing
    slow = asyncio.create_task(ask(manager, "sleep", seconds=1))
    while not (place.folder / "begun").exists():
        await asyncio.sleep(0.01)
    server.process.send_signal(signal.SIGTERM)
    assert (await slow).continue_processing
    assert await asyncio.to_thread(server.process.wait, PATIENCE) == 0
    await manager.shutdown()


@pytest.mark.parametrize("transport", ["http", "http-uds", "grpc", "grpc-uds", "unix"])
async def test_instances_of_a_program(place: Place, transport: str) -> None:
    kind, _, over_socket = transport.partition("-")
    over_tcp = kind != "unix" and not over_socket
    where = {"host": "127.0.0.1", "port": place.port} if over_tcp else {"uds": str(place.socket)}
    address = "localhost" if over_socket else f"localhost:{place.port}"
    http = {"proto": "STREAMABLEHTTP", "url": f"http://{address}/mcp", **({} if over_tcp else where)}
    section: dict[str, dict[str, Any]] = {
        "http": {"mcp": http},
        "grpc": {"grpc": {"target": address} if over_tcp else where},
        "unix": {"unix_socket": {"path": str(place.socket)}},
    }
    program = place.folder / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    options = {"transport": kind, "grace": 30, **where}
    words = [str(program), json.dumps(ENTRY), json.dumps(options)]
    with ServerProcess(place, *words, over_tcp=over_tcp) as server:
        await check_drain(place, server, section[kind])
    assert not place.socket.exists()


async def test_the_grpc_program_takes_its_options(place: Place) -> None:
    config = place.write("other.yaml", ENTRY, grpc_server_settings={"host": "127.0.0.1", "port": 1})
    words = ["-m", MODULES["grpc"], "-c", str(config), "-H", "127.0.0.1", "-p", str(place.port), "-l", "INFO"]
    with ServerProcess(place, *words, PLUGINS_LOG_LEVEL="CRITICAL") as server:
        await check_drain(place, server, {"grpc": {"target": f"127.0.0.1:{place.port}"}})
        assert f"Listening: gRPC on 127.0.0.1:{place.port}" in server.log()
