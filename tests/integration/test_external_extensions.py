"""Extensions of a request on their way to a plugin in another process, and back (B9)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.server_process import Place, ServerProcess, free_port

from cpex.framework import GlobalContext, PluginConfig, PluginError, PluginResult, TenantPluginManager
from cpex.framework.extensions import Extensions, HttpExtension, MetaExtension, SecurityExtension
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.models import Config

HOOK = "tool_pre_invoke"
PLUGIN = """
from cpex.framework import Plugin, PluginResult
from cpex.framework.extensions import Extensions, HttpExtension, MetaExtension


class Marker(Plugin):
    async def tool_pre_invoke(self, payload, context, extensions):
        if payload.name == "look":
            seen = extensions and extensions.model_dump(mode="json", exclude_none=True)
            return PluginResult(metadata={"seen": seen})
        if payload.name == "from scratch":
            return PluginResult(modified_extensions=Extensions(custom={"alone": True}))
        security = extensions.security
        labels = lambda *names: {"security": security.model_copy(update={"labels": frozenset(names)})}
        update = {
            "label": labels(*security.labels, "new"),
            "strip": labels("new"),
            "headers": {"http": HttpExtension(headers={"x": "2"})},
            "meta": {"meta": MetaExtension(tags={"forged"})},
            "custom": {"custom": {"n": 2**62 + 1, "none": None}},
        }[payload.name]
        return PluginResult(modified_extensions=extensions.model_copy(update=update))
"""
GRANTED = ["read_labels", "append_labels", "read_headers", "write_headers"]
ENTRY = {"name": "Marker", "kind": "marker.Marker", "hooks": [HOOK], "capabilities": GRANTED}
SENT = Extensions(
    http=HttpExtension(headers={"authorization": "secret"}),
    security=SecurityExtension(labels=frozenset({"old"})),
    meta=MetaExtension(tags=frozenset({"t"})),
    custom={"k": None},
)
TRANSPORTS = ("mcp", "mcp-uds", "grpc", "grpc-uds", "unix", "stdio")


class Served:
    """A server over all transports, and how it is reached over one."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder)
        self.grpc = free_port()
        (folder / "marker.py").write_text(PLUGIN, encoding="utf-8")
        narrow = {**ENTRY, "name": "Narrow", "capabilities": []}
        self.config = self.place.write("server.yaml", ENTRY, plugins=[ENTRY, narrow])
        self.words = [f"-tmcp={self.place.port}", f"-tgrpc=127.0.0.1:{self.grpc}", f"-tunix={self.place.socket}"]
        self.words += [f"-tmcp={folder / 'm'}", f"-tgrpc={folder / 'g'}"]

    def section(self, transport: str) -> dict[str, Any]:
        folder = self.place.folder
        http = {"proto": "STREAMABLEHTTP", "url": f"http://localhost:{self.place.port}/mcp"}
        serve = [sys.executable, "-m", "cpex", "serve", str(self.config), "-t", "stdio"]
        sections: dict[str, dict[str, Any]] = {
            "mcp": {"mcp": http},
            "mcp-uds": {"mcp": {**http, "url": "http://localhost/mcp", "uds": str(folder / "m")}},
            "grpc": {"grpc": {"target": f"127.0.0.1:{self.grpc}"}},
            "grpc-uds": {"grpc": {"uds": str(folder / "g")}},
            "unix": {"unix_socket": {"path": str(self.place.socket)}},
            "stdio": {"mcp": {"proto": "STDIO", "cmd": serve, "cwd": str(folder), "env": self.place.environment()}},
        }
        return sections[transport]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("served"))
    with ServerProcess(served.place, "-m", "cpex", "serve", str(served.config), *served.words) as server:
        yield served
        assert server.stop() == 0


class Host:
    """A manager with the plugin, which is granted some capabilities."""

    def __init__(self, section: dict[str, Any], *capabilities: str, **fields: Any) -> None:
        entry = {"name": "Marker", "kind": "external", "capabilities": list(capabilities), **section, **fields}
        plugin = PluginConfig(**entry)
        self.manager = TenantPluginManager(Config(plugins=[plugin]), timeout=60)

    async def __aenter__(self) -> Host:
        await self.manager.initialize()
        assert self.manager.load_failures == []
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.manager.shutdown()

    async def ask(self, name: str, extensions: Extensions | None = SENT) -> PluginResult[Any]:
        payload, shared = ToolPreInvokePayload(name=name), GlobalContext(request_id="1")
        result, _ = await self.manager.invoke_hook(HOOK, payload, shared, extensions=extensions)
        return result


def refused(result: PluginResult[Any]) -> list[str]:
    return [text for line in result.report for text in line.refused_extensions]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_they_go_there_and_back(served: Served, transport: str) -> None:
    async with Host(served.section(transport), "read_labels", "append_labels") as host:
        seen = (await host.ask("look")).metadata
        assert seen == {
            "seen": {"security": {"labels": ["old"], "objects": {}, "data": {}}, "meta": _META, "custom": {"k": None}}
        }
        assert (await host.ask("look", None)).metadata == {"seen": None}

        written = (await host.ask("label")).modified_extensions
        assert written is not None and written.security is not None
        assert written.security.labels == {"old", "new"}
        assert (written.http, written.meta) == (SENT.http, SENT.meta)

        custom = (await host.ask("custom")).modified_extensions
        assert custom is not None
        assert custom.custom == {"n": 2**62 + 1, "none": None}


_META = {"tags": ["t"], "properties": {}}


async def test_what_a_plugin_may_not_write_is_not_taken(served: Served) -> None:
    """The host's capabilities count: the server's entry grants itself headers."""
    async with Host(served.section("unix"), "read_labels", "append_labels") as host:
        assert host.manager._registry.get_all_plugins()[0].capabilities == {"read_labels", "append_labels"}
        headers = await host.ask("headers")
        assert headers.modified_extensions is None
        assert refused(headers) == ["http: plugin lacks 'write_headers' capability"]
        assert (await host.ask("meta")).modified_extensions is None
        with pytest.raises(PluginError, match="monotonic slot had elements removed"):
            await host.ask("strip")


async def test_what_a_plugin_does_not_mention_stays(served: Served) -> None:
    async with Host(served.section("unix"), "read_labels", "append_labels", "read_headers", "write_headers") as host:
        seen = (await host.ask("look")).metadata
        assert seen is not None and seen["seen"]["http"]["headers"] == {"authorization": "secret"}
        headers = (await host.ask("headers")).modified_extensions
        assert headers is not None and headers.http is not None
        assert headers.http.headers == {"x": "2"}
        fresh = (await host.ask("from scratch")).modified_extensions
        assert fresh == SENT.model_copy(update={"custom": {"alone": True}})


async def test_a_server_that_grants_less(served: Served) -> None:
    """What its own entry of the plugin hides there is not what the plugin took away."""
    async with Host(served.section("unix"), "read_labels", "append_labels", "read_headers", name="Narrow") as host:
        seen = (await host.ask("look")).metadata
        assert seen is not None and seen["seen"]["security"]["labels"] == []
        assert "http" not in seen["seen"]
        custom = (await host.ask("custom")).modified_extensions
        assert custom is not None
        assert (custom.security, custom.http) == (SENT.security, SENT.http)


async def test_what_has_no_json_is_told_by_its_path(served: Served) -> None:
    async with Host(served.section("unix")) as host:
        with pytest.raises(PluginError, match=r"extensions\.custom\.deep\[0\] of type object cannot be sent"):
            await host.ask("look", Extensions(custom={"deep": [object()]}))
