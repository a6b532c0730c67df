"""The published package at the other end, over every transport (W80, W81).

`CPEX_PUBLISHED_PYTHON` names an interpreter that has `cpex[grpc]==0.1.4`; without it there is nothing to test.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpex.framework import GlobalContext, PluginConfig, PluginError, PluginMode, PluginResult, TenantPluginManager
from cpex.framework.extensions import Extensions, SecurityExtension
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.models import Config

from .world import HOOK

PYTHON = os.environ.get("CPEX_PUBLISHED_PYTHON", "")
PEERS = Path(__file__).parents[2] / "crates/cpex-remote/tests/peers"
SERVERS = "cpex.framework.external.{}.server.runtime"
NAME = "ProbePlugin"


def has_the_peer() -> bool:
    """Whether there is a published package with gRPC."""
    asked = [PYTHON, "-c", "import importlib.util as u; assert u.find_spec('grpc') and u.find_spec('cpex')"]
    return Path(PYTHON).is_file() and subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not has_the_peer(), reason="CPEX_PUBLISHED_PYTHON has no cpex[grpc]")


class Published:
    """A published server; over stdio, its client starts it."""

    def __init__(self, transport: str, directory: Path) -> None:
        self.transport, self.directory, self.uds = transport, directory, str(directory / "s")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None
        tcp: dict[str, Any] = {"host": "127.0.0.1", "port": self.port}
        settings: dict[str, dict[str, Any]] = {
            "grpc": {"grpc_server_settings": tcp},
            "grpc_uds": {"grpc_server_settings": {"uds": self.uds}},
            "mcp": {"server_settings": tcp},
            "mcp_uds": {"server_settings": {"uds": self.uds}},
        }
        plugin: dict[str, Any] = {"name": NAME, "kind": "probe_plugin.ProbePlugin", "version": "1.2.3", "hooks": [HOOK]}
        plugin |= {"mode": "sequential", "priority": 42, "config": {"alpha": 1}}
        config = {"plugins": [plugin], "plugin_dirs": [], "plugin_settings": {"plugin_timeout": 60}}
        self.config = directory / "server.yaml"
        self.config.write_text(json.dumps({**config, **settings.get(transport, {})}))

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PLUGINS_CONFIG_PATH": str(self.config),
            "PLUGINS_UNIX_SOCKET_PATH": self.uds,
            "PLUGINS_TRANSPORT": "stdio" if self.transport == "stdio" else "http",
            "PLUGINS_LOG_LEVEL": "CRITICAL",
            "PYTHONPATH": str(PEERS),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    @property
    def command(self) -> list[str]:
        module = {"unix": "unix", "grpc": "grpc", "grpc_uds": "grpc"}.get(self.transport, "mcp")
        return [PYTHON, "-m", SERVERS.format(module)]

    def start(self) -> None:
        if self.transport != "stdio":
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self.process = subprocess.Popen(self.command, env={**os.environ, **self.environment}, **quiet)  # type: ignore[call-overload]

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def is_up(self) -> None:
        """Waits until somebody listens."""
        if self.transport == "stdio":
            return
        while True:
            try:
                if "uds" in self.transport or self.transport == "unix":
                    _, writer = await asyncio.open_unix_connection(self.uds)
                else:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                assert self.process is not None
                assert self.process.poll() is None
                await asyncio.sleep(0.05)
            else:
                return writer.close()

    def entry(self, **fields: Any) -> PluginConfig:
        url = f"http://localhost:{self.port}/mcp"
        sections: dict[str, dict[str, Any]] = {
            "unix": {"unix_socket": {"path": self.uds}},
            "grpc": {"grpc": {"target": f"127.0.0.1:{self.port}"}},
            "grpc_uds": {"grpc": {"uds": self.uds}},
            "mcp": {"mcp": {"proto": "STREAMABLEHTTP", "url": url}},
            "mcp_uds": {"mcp": {"proto": "STREAMABLEHTTP", "url": "http://localhost/mcp", "uds": self.uds}},
            "stdio": {"mcp": {"proto": "STDIO", "cmd": self.command, "env": self.environment}},
        }
        return PluginConfig(**{"name": NAME, "kind": "external", **sections[self.transport], **fields})


@pytest.fixture(scope="module", params=["unix", "grpc", "grpc_uds", "mcp", "mcp_uds", "stdio"])
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    server = Published(request.param, tmp_path_factory.mktemp("published"))
    server.start()
    yield server
    server.stop()


async def managed(server: Published, **fields: Any) -> TenantPluginManager:
    await server.is_up()
    manager = TenantPluginManager(Config(plugins=[server.entry(**fields)]), timeout=60)
    await manager.initialize()
    assert manager.load_failures == []
    return manager


async def ask(manager: TenantPluginManager, name: str, shared: GlobalContext | None = None, **args: Any) -> Any:
    payload = ToolPreInvokePayload(name=name, args=args)
    return await manager.invoke_hook(HOOK, payload, shared or GlobalContext(request_id=name, user="alice"))


async def test_the_script(published: Published) -> None:
    """W81, with one server for all of it, for an interpreter takes seconds to start."""
    manager = await managed(published)
    config = manager._registry.get_all_plugins()[0].trusted_config
    assert (config.kind, config.priority, config.mode) == ("external", 42, PluginMode.SEQUENTIAL)
    assert (config.hooks, config.version, config.config) == ([HOOK], "1.2.3", {"alpha": 1})

    result, _ = await ask(manager, "allow")
    assert isinstance(result, PluginResult)
    assert (result.continue_processing, result.modified_payload, result.violation) == (True, None, None)

    result, _ = await ask(manager, "modify", text="hi", n=3, none=None)
    args = {"text": "hi", "n": 3, "none": None, "added": 1, "f": 2.5, "ünï": "✓"}
    assert result.modified_payload.model_dump() == {"name": "modified", "args": args, "headers": None}
    assert type(result.modified_payload.args["n"]) is int
    assert result.metadata == {"modified": True}

    shared = GlobalContext(request_id="s", state={"sk": True, "t": (1, 2)})
    result, contexts = await ask(manager, "state", shared)
    assert (result.metadata, result.retry_delay_ms) == ({"seen": True}, 7)
    assert shared.state == {"sk": True, "t": (1, 2), "g": [1, 2]}
    (context,) = contexts.values()
    assert (context.state, context.metadata) == ({"k": {"v": 1}}, {"m": "md"})

    result, _ = await ask(manager, "deny")
    assert not result.continue_processing
    violation = result.violation
    assert (violation.reason, violation.description, violation.code) == ("no", "blocked by probe", "PROBE")
    assert violation.details == {"n": 1, "l": ["a", None, 1.5]}
    assert (violation.mcp_error_code, violation.http_status_code) == (-32001, 403)
    assert (violation.http_headers, violation.plugin_name) == ({"X-P": "1"}, NAME)

    with pytest.raises(PluginError) as raised:
        await ask(manager, "raise")
    assert (raised.value.error.message, raised.value.error.code) == ("RuntimeError('kaboom')", "")
    with pytest.raises(PluginError) as raised:
        await ask(manager, "error")
    error = raised.value.error
    assert (error.message, error.plugin_name, error.code) == ("perr msg", NAME, "PERR")
    # Over a Unix socket a published server sends none.
    assert error.details == ({} if published.transport == "unix" else {"k": 1})

    result, _ = await ask(manager, "echo", text="ä" * 100_000, list=list(range(1000)))
    assert result.modified_payload.args == {"text": "ä" * 100_000, "list": list(range(1000))}

    # W82: a call that is given up leaves nothing behind for the next one.
    slow = asyncio.create_task(ask(manager, "sleep", seconds=0.3))
    await asyncio.sleep(0.1)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    for _ in range(4):
        assert not (await ask(manager, "deny"))[0].continue_processing
        await asyncio.sleep(0.1)
    await manager.shutdown()


async def test_extensions_stay_here(published: Published) -> None:
    """B9: a published server is sent what it always was, whatever the entry grants; its plugin is a blind one."""
    manager = await managed(published, hooks=[HOOK], capabilities=["read_labels", "append_labels"])
    (ref,) = manager._registry.get_hook_refs_for_hook(HOOK)
    assert not ref.accepts_extensions
    extensions = Extensions(security=SecurityExtension(labels=frozenset({"pii"})), custom={"no JSON": object()})
    payload, shared = ToolPreInvokePayload(name="deny"), GlobalContext(request_id="x")
    result, _ = await manager.invoke_hook(HOOK, payload, shared, extensions=extensions)
    assert not result.continue_processing
    await manager.shutdown()


async def test_a_plugin_that_the_server_does_not_have(published: Published) -> None:
    await published.is_up()
    manager = TenantPluginManager(Config(plugins=[published.entry(name="Nobody", hooks=[HOOK])]))
    await manager.initialize()
    if published.transport == "unix":
        with pytest.raises(PluginError, match=f"^Unable to find {HOOK} for plugin Nobody.  Make sure"):
            await ask(manager, "allow")
    else:
        (failure,) = manager.load_failures
        assert failure.error == "Unable to retrieve configuration for external plugin"
    await manager.shutdown()


@pytest.mark.parametrize("published", ["mcp", "grpc_uds", "unix"], indirect=True)
async def test_a_server_that_is_started_again(published: Published) -> None:
    """W13: the next call finds it."""
    manager = await managed(published, hooks=[HOOK])
    published.stop()
    published.start()
    await published.is_up()
    assert not (await ask(manager, "deny"))[0].continue_processing
    await manager.shutdown()
