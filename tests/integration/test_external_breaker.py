"""A server that is killed and started again: its breaker, in logs, metrics and records."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.integration.server_process import PLUGIN, Place, ServerProcess

from cpex.framework import ConfigLoader, GlobalContext, PluginResult, TenantPluginManager
from cpex.framework.external import ServerStatus, metrics
from cpex.framework.hooks.tools import ToolPreInvokePayload

HOOK = "tool_pre_invoke"


def started(place: Place) -> ServerProcess:
    config = place.write("server.yaml", PLUGIN)
    return ServerProcess(place, "-m", "cpex", "serve", str(config), f"-tunix={place.socket}", over_tcp=False)


class Host:
    """A manager with the plugin, whose failures are ignored."""

    def __init__(self, place: Place, **section: Any) -> None:
        unix = {"path": str(place.socket), "reconnect_attempts": 0, **section}
        config = ConfigLoader.load_config(str(place.host_config(unix_socket=unix, on_error="ignore")))
        self.manager = TenantPluginManager(config, timeout=60)

    async def __aenter__(self) -> Host:
        await self.manager.initialize()
        assert self.manager.load_failures == []
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.manager.shutdown()

    async def ask(self) -> PluginResult[Any]:
        payload = ToolPreInvokePayload(name="deny")
        result, _ = await self.manager.invoke_hook(HOOK, payload, GlobalContext(request_id="1"))
        return result

    def server(self) -> ServerStatus:
        plugin: Any = self.manager.get_plugin("ProbePlugin")
        (server,) = plugin.servers
        assert isinstance(server, ServerStatus)
        return server


def sample(name: str, place: Place, labels: str = "") -> int:
    line = f'{name}{{plugin="ProbePlugin",server="{place.socket}"{labels}}} '
    (value,) = [text.removeprefix(line) for text in metrics().splitlines() if text.startswith(line)]
    return int(value)


async def test_it_opens_half_opens_and_closes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place = Place(tmp_path)
    # A minute, which the health check cuts short once the server is back.
    options = {"breaker": {"failures": 2, "wait": 60, "successes": 2}, "health_check": {"interval": 0.05}}
    with started(place):
        host = await Host(place, **options).__aenter__()
        assert not (await host.ask()).continue_processing
        assert (host.server().target, host.server().breaker) == (str(place.socket), "closed")
    for reason in ("Failed to ", "Failed to ", "is not called: all 1 servers have failed lately"):
        (line,) = (await host.ask()).report
        assert line.outcome == "failed"
        assert line.detail is not None and reason in line.detail
    assert host.server().breaker == "open"
    assert sample("cpex_external_breakers", place, ',state="open"') == 1
    assert sample("cpex_external_breakers", place, ',state="closed"') == 0

    with started(place):
        while (await host.ask()).continue_processing:
            await asyncio.sleep(0.05)
        assert host.server().breaker == "half_open"
        assert not (await host.ask()).continue_processing
        assert host.server().breaker == "closed"
        for turned in ("open", "half_open", "closed"):
            assert sample("cpex_external_breaker_changes_total", place, f',to="{turned}"') == 1
        assert sample("cpex_external_ejections_total", place) == host.server().ejected
        await host.__aexit__()
    changes = [record.message for record in caplog.records if record.name == "cpex.framework.external"]
    changes = [text.partition("[from: ")[2] for text in changes if text.startswith("the breaker of a plugin server")]
    assert changes == ["closed] [to: open]", "open] [to: half_open]", "half_open] [to: closed]"]
    assert str(place.socket) not in metrics()


async def test_calls_are_repeated_and_counted(tmp_path: Path) -> None:
    """`repeat`: a call that failed goes to the server again, once it is back."""
    place = Place(tmp_path)
    async with AsyncServers(place) as servers:
        options = {"repeat": {"retries": 60, "wait": 0.05}, "breaker": {"failures": 1000}}
        async with Host(place, **options) as host:
            await servers.kill()
            asked = asyncio.create_task(host.ask())
            while host.server().retried == 0:
                await asyncio.sleep(0.01)
            await servers.start()
            assert not (await asked).continue_processing
            assert sample("cpex_external_retries_total", place) == host.server().retried


class AsyncServers:
    """A server that is killed and started again while a call is under way."""

    def __init__(self, place: Place) -> None:
        self.place = place

    async def start(self) -> None:
        self.server = await asyncio.to_thread(started, self.place)

    async def kill(self) -> None:
        await asyncio.to_thread(self.server.__exit__)

    async def __aenter__(self) -> AsyncServers:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
