"""Plugins in Python behind the servers of the core, in the process of the tests."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import stat
import sys
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from cpex.framework import (
    ExternalPluginServer,
    GlobalContext,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginError,
    PluginErrorModel,
    PluginResult,
    PluginViolation,
    TenantPluginManager,
    ToolPreInvokePayload,
    external,
)
from cpex.framework.extensions import Extensions
from cpex.framework.external import Tls
from cpex.framework.models import Config

from .mcp_host import HOOK, McpHost

GUIDE = Path(__file__).parents[2] / "docs/guide"


class Guard(Plugin):
    """Does what the tool's name says."""

    def __init__(self, name: str = "Guard", **fields: Any) -> None:
        super().__init__(PluginConfig(name=name, kind="tests.Guard", hooks=[HOOK], config={"key": "v"}, **fields))
        self.events: list[str] = []
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.hold: Callable[[], None] = lambda: None
        self.tasks: weakref.WeakSet[Any] = weakref.WeakSet()

    async def initialize(self) -> None:
        self.events.append("initialize")

    async def shutdown(self) -> None:
        self.events.append("shutdown")

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> PluginResult[Any]:
        match payload.name:
            case "deny":
                return PluginResult(continue_processing=False, violation=PluginViolation(reason="no", code="NO"))
            case "modify":
                changed = payload.model_copy(update={"args": {**(payload.args or {}), "ünï": "✓"}})
                context.state["seen"] = 2**53 + 1
                return PluginResult(modified_payload=changed)
            case "raise":
                raise RuntimeError("kaboom")
            case "error":
                error = PluginErrorModel(message="m", plugin_name=self.name, code="C", details={"k": 1})
                raise PluginError(error=error)
            case "exit":
                sys.exit("at once")
            case "exit later":
                await asyncio.sleep(0.001)
                sys.exit(3)
            case "hold":
                self.hold()
            case "task":
                self.tasks.add(asyncio.current_task())
            case "nan":
                return PluginResult(metadata={"a": [1.5, {"b": float("nan")}], "c": None})
            case "state":
                context.state["x"] = float("inf")
            case "deny with nan":
                denied = PluginViolation(reason="no", code="NO", details={"n": float("nan")})
                return PluginResult(continue_processing=False, violation=denied)
            case "object":
                return PluginResult(metadata={"what": object()})
            case "echo":
                async with asyncio.timeout(10):
                    await asyncio.sleep(0)
                return PluginResult(metadata={"n": (payload.args or {})["n"]})
            case "wait":
                self.begun.set()
                try:
                    await self.open.wait()
                except asyncio.CancelledError:
                    self.events.append("cancelled")
                    raise
        return PluginResult()


@asynccontextmanager
async def serving(*plugins: Plugin, **options: Any) -> AsyncIterator[tuple[str, asyncio.Task[None]]]:
    """A server over HTTP on a free port, and the task that serves."""
    ready: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
    server = ExternalPluginServer(plugins=plugins)
    options = {"port": 0, **options}
    task = asyncio.create_task(server.serve(on_ready=ready.set_result, **options))
    while not ready.done() and not task.done():
        await asyncio.sleep(0.01)
    if task.done():
        task.result()
    address = re.sub(r".* on (\S+).*", r"\1", (await ready)[0])
    try:
        yield f"http://{address}", task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_a_host_is_told() -> None:
    # S3, W8, W10, W11, W18
    async with serving(Guard()) as (url, _), McpHost(f"{url}/mcp") as host:
        allowed = await host.invoke("Guard", "t")
        assert allowed["result"]["continue_processing"] is True and "context" not in allowed

        modified = await host.invoke("Guard", "modify", {"f": 5.0, "n": 2**60})
        assert modified["result"]["modified_payload"]["args"] == {"f": 5.0, "n": 2**60, "ünï": "✓"}
        assert modified["context"]["state"] == {"seen": 2**53 + 1}

        denied = (await host.invoke("Guard", "deny"))["result"]
        assert denied["continue_processing"] is False and denied["metadata"] is None
        assert denied["violation"]["code"] == "NO" and "plugin_name" not in denied["violation"]

        assert (await host.invoke("Guard", "raise"))["error"] == {
            "message": "RuntimeError('kaboom')",
            "plugin_name": "Guard",
            "code": "",
            "details": {},
            "mcp_error_code": -32603,
        }
        assert (await host.invoke("Guard", "error"))["error"]["details"] == {"k": 1}
        assert "Unable to serialize unknown type" in (await host.invoke("Guard", "object"))["error"]["message"]

        problem = "ValueError('result.metadata.a[1].b: NaN and Infinity have no JSON')"
        assert (await host.invoke("Guard", "nan"))["error"]["message"] == problem
        problem = "ValueError('context.state.x: NaN and Infinity have no JSON')"
        assert (await host.invoke("Guard", "state"))["error"]["message"] == problem
        denied = (await host.invoke("Guard", "deny with nan"))["result"]
        assert denied["continue_processing"] is False and denied["violation"]["details"] == {"n": None}

        missing = "Unable to find {} for plugin {}.  Make sure the plugin is registered."
        assert (await host.invoke("Nobody", "t"))["error"]["message"] == missing.format(HOOK, "Nobody")
        answer = await host.invoke("Guard", "t", hook="tool_post_invoke")
        assert answer["error"]["message"] == missing.format("tool_post_invoke", "Guard")
        broken = await host.invoke("Guard", "t", global_context={})
        assert "global_context.request_id" in broken["error"]["message"]


async def test_a_plugin_that_exits_fails_its_call_and_the_server_goes_on() -> None:
    # P16 is for the host's own process.
    async with serving(Guard()) as (url, _), McpHost(f"{url}/mcp") as host:
        waiting = asyncio.create_task(host.invoke("Guard", "exit later"))
        assert (await host.invoke("Guard", "exit"))["error"]["message"] == "SystemExit('at once')"
        assert (await waiting)["error"]["message"] == "SystemExit(3)"
        assert (await host.invoke("Guard", "t"))["result"]["continue_processing"] is True


async def test_configurations_are_served() -> None:
    # S2, W7
    async with serving(Guard(priority=7), Guard("Other")) as (url, _), McpHost(f"{url}/mcp") as host:
        config = await host.tool("get_plugin_config", name="gUARD")
        assert (config["name"], config["priority"], config["config"]) == ("Guard", 7, {"key": "v"})
        assert await host.tool("get_plugin_config", name="nobody") == {}


async def test_many_calls_at_a_time_get_their_own_answers() -> None:
    async with serving(Guard()) as (url, _), McpHost(f"{url}/mcp") as host:
        answers = await asyncio.gather(*[host.invoke("Guard", "echo", {"n": n}) for n in range(300)])
    assert [answer["result"]["metadata"]["n"] for answer in answers] == list(range(300))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there are no eager tasks")
async def test_calls_that_ran_as_eager_tasks_are_forgotten() -> None:
    guard = Guard()
    asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 - not in 3.11
    async with serving(guard) as (url, _), McpHost(f"{url}/mcp") as host:
        for _ in range(3):
            assert "result" in await host.invoke("Guard", "task")
        gc.collect()
        assert len(guard.tasks) == 0


async def test_a_call_that_nobody_waits_for_is_cancelled() -> None:
    # W86
    guard = Guard()
    async with serving(guard) as (url, _), McpHost(f"{url}/mcp") as host:
        call = asyncio.create_task(host.invoke("Guard", "wait"))
        await guard.begun.wait()
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": host._last}}
        assert (await host.http.post(host.url, json=cancelled)).status_code == 202
        with suppress(KeyError):  # it is answered by a JSON-RPC error
            await call
        while "cancelled" not in guard.events:
            await asyncio.sleep(0.01)
        assert (await host.invoke("Guard", "t"))["result"]["continue_processing"] is True


async def test_calls_under_way_finish_and_new_ones_are_refused() -> None:
    guard = Guard()
    async with serving(guard, grace=30.0) as (url, task), McpHost(f"{url}/mcp") as host:
        call = asyncio.create_task(host.invoke("Guard", "wait"))
        await guard.begun.wait()
        task.cancel()
        while True:
            # The open connections of this host are closed, or say that they will be; new ones are not taken.
            try:
                refused = await host.post("ping", {})
            except httpx.ConnectError:
                break
            except httpx.TransportError:
                continue
            assert refused.status_code in (200, 503)
        assert guard.events == ["initialize"]
        guard.open.set()
        assert (await call)["result"]["continue_processing"] is True
        with pytest.raises(asyncio.CancelledError):
            await task
    assert guard.events == ["initialize", "shutdown"]


async def test_calls_that_do_not_finish_are_cancelled_at_the_end() -> None:
    guard = Guard()
    async with serving(guard, grace=0.1) as (url, task), McpHost(f"{url}/mcp") as host:
        call = asyncio.create_task(host.invoke("Guard", "wait"))
        await guard.begun.wait()
        task.cancel()
        with pytest.raises(httpx.TransportError):
            await call
    assert guard.events == ["initialize", "cancelled", "shutdown"]


def named(prefix: str, text: str) -> set[str]:
    """Return the names of metrics that begin like this; those of a histogram's series are its name."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(rf"\b{prefix}\w+", text)}


async def test_health_and_metrics() -> None:
    # W62, W63
    async with serving(Guard('G"')) as (url, _), McpHost(f"{url}/mcp") as host:
        await host.invoke('G"', "t")
        await host.invoke('G"', "deny")
        await host.invoke('G"', "raise")
        await host.invoke("x" * 100, "t")
        assert (await host.http.get(f"{url}/health")).json() == {"status": "healthy"}
        assert (await host.http.get(f"{url}/ready")).json() == {"status": "ready"}
        metrics = await host.http.get(f"{url}/metrics")
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = metrics.text.splitlines()
    hook = f'plugin="G\\"",hook="{HOOK}"'
    assert 'plugin_info{server_name="MCP Plugin Server",ssl_enabled="false",transport="http"} 1.0' in lines
    assert f'cpex_server_calls_total{{{hook},end="result"}} 2' in lines
    assert f'cpex_server_calls_total{{{hook},end="error"}} 1' in lines
    assert f"cpex_server_denials_total{{{hook}}} 1" in lines
    assert f'cpex_server_call_duration_seconds_bucket{{{hook},le="+Inf"}} 3' in lines
    assert 'cpex_server_calls_total{plugin="unknown",hook="unknown",end="error"} 1' in lines
    assert "cpex_server_calls_in_flight 0" in lines
    # The Rust server is held to the same page, which is where its names are compared with these.
    assert named("cpex_server_", metrics.text) == named("cpex_server_", (GUIDE / "serving.md").read_text())
    assert named("cpex_external_", external.metrics()) == named("cpex_external_", (GUIDE / "external.md").read_text())


SERVICE = "cpex.framework.external._server.service"


def poll(is_so: Callable[[], bool]) -> None:
    """Wait for something, and let nothing else run on this thread."""
    ends = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.01)


async def test_who_asks_is_told_that_the_event_loop_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{SERVICE}.READY", 0.1)
    monkeypatch.setattr(f"{SERVICE}.ALIVE", 0.3)
    guard = Guard()
    said: list[Any] = []
    async with serving(guard) as (url, _), McpHost(f"{url}/mcp") as host:

        def hold() -> None:
            with httpx.Client() as http:
                poll(lambda: http.get(f"{url}/ready").status_code == 503)
                poll(lambda: http.get(f"{url}/health").status_code == 503)
                said.extend(http.get(f"{url}/{path}").json() for path in ("ready", "health"))

        guard.hold = hold
        assert "result" in await host.invoke("Guard", "hold")
        assert said == [{"status": "not ready"}, {"status": "unhealthy"}]
        for path in ("ready", "health"):
            while (await host.http.get(f"{url}/{path}")).status_code != 200:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("transport", ["http", "grpc"])
async def test_health_checks_miss_a_loop_that_stands_still(
    transport: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # `ping` of MCP, `grpc.health.v1`
    monkeypatch.setattr(f"{SERVICE}.READY", 0.1)
    socket, guard = str(tmp_path / "s"), Guard()
    check = {"interval": 0.02, "timeout": 30, "misses": 1}
    async with serving(guard, transport=transport, uds=socket, port=None), Host(transport, socket, check) as host:
        guard.hold = lambda: poll(lambda: host.server.silent)
        await host.ask("hold")
        while host.server.silent:
            await asyncio.sleep(0.01)


async def test_metrics_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    # W63, B23
    monkeypatch.setenv("ENABLE_METRICS", "no")
    async with serving(Guard()) as (url, _), httpx.AsyncClient() as http:
        answer = await http.get(f"{url}/metrics/prometheus")
    assert (answer.status_code, answer.json()) == (503, {"error": "Metrics collection is disabled"})


async def test_only_those_with_the_token_may_call() -> None:
    async with serving(Guard(), token="s3cret") as (url, _):
        with pytest.raises(httpx.HTTPStatusError, match="401"):
            async with McpHost(f"{url}/mcp"):
                pass
        async with McpHost(f"{url}/mcp", headers={"authorization": "Bearer s3cret"}) as host:
            assert (await host.invoke("Guard", "deny"))["result"]["continue_processing"] is False
            assert (await host.http.get(f"{url}/health", headers={"authorization": ""})).status_code == 200


async def test_over_a_socket_file(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with serving(Guard(), transport="unix", uds=str(path), port=None) as _:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(bytes.fromhex("00000007 0a054775617264"))  # W30, W25
        size = int.from_bytes(await reader.readexactly(4), "big")
        assert (await reader.readexactly(size)).startswith(b"\x08\x01")
        writer.close()
    assert not path.exists()


async def test_it_does_not_listen_where_others_reach_it_without_tls() -> None:
    guard = Guard()
    with pytest.raises(ValueError, match="refusing to serve without TLS on 0.0.0.0"):
        await ExternalPluginServer(plugins=[guard]).serve(host="0.0.0.0", port=0)
    assert guard.events == []


@pytest.mark.parametrize("option", ["token", "tls"])
async def test_what_cannot_be_asked_for_is_not_asked_for_in_vain(option: str, tmp_path: Path) -> None:
    guard = Guard()
    options: dict[str, Any] = {"token": "t0ken", "tls": Tls(certfile="/no/such")}
    with pytest.raises(ValueError, match=f"^{option}: ") as raised:
        await ExternalPluginServer(plugins=[guard]).serve("unix", uds=str(tmp_path / "s"), **{option: options[option]})
    assert "t0ken" not in str(raised.value)
    assert guard.events == []


async def test_a_taken_port_is_an_error() -> None:
    async with serving(Guard()) as (url, _):
        port = int(url.rpartition(":")[2])
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            await ExternalPluginServer(plugins=[Guard()]).serve(port=port)


async def test_a_port_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="port: a number from 0 to 65535 is required, not 65536"):
        await ExternalPluginServer(plugins=[Guard()]).serve(port=65536)


async def test_instances_are_managed_apart_from_the_process_wide_manager() -> None:
    # B2
    with pytest.raises(TypeError, match="config_path or plugins"):
        ExternalPluginServer("x.yaml", plugins=[])
    with pytest.raises(TypeError, match="are required, not"):
        ExternalPluginServer(plugins=[Guard])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="two are named 'Guard'"):
        ExternalPluginServer(plugins=[Guard(), Guard()])
    first, second = Guard(), Guard()
    servers = [ExternalPluginServer(plugins=[plugin]) for plugin in (first, second)]
    assert await servers[0].initialize()
    assert (first.events, second.events) == (["initialize"], [])
    for server in servers:
        await server.shutdown()
    assert (first.events, second.events) == (["initialize", "shutdown"], [])


async def test_invoke_hook_in_python() -> None:
    # S3
    server = ExternalPluginServer(plugins=[Guard()])
    await server.initialize()
    context = PluginContext.model_validate({"global_context": {"request_id": "r"}})
    reply = await server.invoke_hook(HOOK, "Guard", {"name": "modify", "args": {}}, context)
    assert reply["context"] is context and reply["result"]["modified_payload"]["args"] == {"ünï": "✓"}
    reply = await server.invoke_hook(HOOK, "Guard", {"name": "t"}, {"global_context": {"request_id": "r"}})
    assert set(reply) == {"plugin_name", "result"}
    reply = await server.invoke_hook(HOOK, "Guard", {"name": "error"}, context)
    assert reply["error"] == PluginErrorModel(message="m", plugin_name="Guard", code="C", details={"k": 1})
    reply = await server.invoke_hook(HOOK, "Guard", {"name": []}, context)
    assert reply["error"]["message"].startswith("1 validation error for ToolPreInvokePayload")
    assert [config["name"] for config in await server.get_plugin_configs()] == ["Guard"]
    assert json.dumps(await server.get_plugin_config("GUARD"), default=str)
    assert await server.get_plugin_config("nobody") is None
    await server.shutdown()


class Witness(Plugin):
    """Notes which extensions it is shown, and adds a label."""

    def __init__(self, *capabilities: str) -> None:
        super().__init__(
            PluginConfig(name="Witness", kind="tests.W", hooks=[HOOK], capabilities=frozenset(capabilities))
        )
        self.seen: list[Extensions | None] = []

    async def tool_pre_invoke(
        self, payload: ToolPreInvokePayload, context: PluginContext, extensions: Extensions | None
    ) -> PluginResult[Any]:
        self.seen.append(extensions)
        return PluginResult(modified_extensions=extensions)


async def test_a_plugin_sees_of_the_extensions_what_it_may() -> None:
    sent = {"request": {"request_id": "q"}, "security": {"labels": ["pii"]}}
    context = {"global_context": {"request_id": "r"}}
    call = {"hook_type": HOOK, "plugin_name": "Witness", "payload": {"name": "t"}, "context": context}
    for plugin, labels in ((Witness("read_labels"), {"pii"}), (Witness(), set())):
        async with serving(plugin) as (url, _), McpHost(f"{url}/mcp") as host:
            answer = await host.tool("invoke_hook", **call, extensions=sent)
            assert (await host.tool("invoke_hook", **call))["result"]["modified_extensions"] is None
        [shown, nothing] = plugin.seen
        assert nothing is None and shown is not None and shown.request is not None
        assert shown.request.request_id == "q"
        assert shown.security is not None and set(shown.security.labels) == labels
        assert answer["result"]["modified_extensions"]["request"]["request_id"] == "q"


class Host:
    """A manager that reaches the guard at a socket."""

    def __init__(self, transport: str, socket: str, check: Any = None, timeout: float = 30.0) -> None:
        target: dict[str, Any] = {
            "http": {"mcp": {"proto": "STREAMABLEHTTP", "url": "http://localhost/mcp", "uds": socket}},
            "grpc": {"grpc": {"uds": socket}},
            "unix": {"unix_socket": {"path": socket}},
        }[transport]
        if check is not None:
            for section in target.values():
                section["health_check"] = check
        entry = PluginConfig(name="Guard", kind="external", hooks=[HOOK], **target)
        self.manager = TenantPluginManager(Config(plugins=[entry]), timeout=timeout)

    async def __aenter__(self) -> Host:
        await self.manager.initialize()
        assert self.manager.load_failures == []
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.manager.shutdown()

    async def ask(self, name: str, **args: Any) -> PluginResult[Any]:
        payload = ToolPreInvokePayload(name=name, args=args)
        result, _ = await self.manager.invoke_hook(HOOK, payload, GlobalContext(request_id="r"))
        return result

    async def idle(self) -> None:
        """Wait until what was given up is over."""
        async with asyncio.timeout(30):
            while self.server.outstanding:
                await asyncio.sleep(0.01)

    @property
    def server(self) -> Any:
        plugin: Any = self.manager.get_plugin("Guard")
        (server,) = plugin.servers
        return server


@pytest.mark.parametrize("transport", ["http", "grpc", "unix"])
async def test_our_own_host_calls_it(transport: str, tmp_path: Path) -> None:
    socket, guard = str(tmp_path / "s"), Guard()
    async with serving(guard, transport=transport, uds=socket, port=None), Host(transport, socket) as host:
        modified = (await host.ask("modify", n=2**60)).modified_payload
        assert modified is not None and modified.args == {"n": 2**60, "ünï": "✓"}
        denied = await host.ask("deny")
        assert denied.violation is not None and denied.violation.plugin_name == "Guard"
        with pytest.raises(PluginError, match="kaboom"):
            await host.ask("raise")
        call = asyncio.create_task(host.ask("wait"))
        await guard.begun.wait()
        call.cancel()  # W86
        while "cancelled" not in guard.events:
            await asyncio.sleep(0.01)
        assert (await host.ask("t")).continue_processing


@pytest.mark.parametrize("transport", ["http", "grpc", "unix"])
async def test_a_server_that_hangs_is_left_alone(transport: str, tmp_path: Path) -> None:
    # No `timeout` is said: the time limit of plugins ends each call.
    socket, guard = str(tmp_path / "s"), Guard()
    serving_it = serving(guard, transport=transport, uds=socket, port=None)
    async with serving_it, Host(transport, socket, timeout=0.1) as host:
        for _ in range(5):
            with pytest.raises(PluginError):
                await host.ask("wait")
        await host.idle()
        assert host.server.breaker == "open"


@pytest.mark.parametrize("transport", ["http", "grpc", "unix"])
async def test_calls_that_are_cancelled_say_nothing_of_the_server(transport: str, tmp_path: Path) -> None:
    socket, guard = str(tmp_path / "s"), Guard()
    async with serving(guard, transport=transport, uds=socket, port=None), Host(transport, socket) as host:
        for _ in range(6):
            guard.begun.clear()
            call = asyncio.create_task(host.ask("wait"))
            await guard.begun.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        await host.idle()
        assert host.server.breaker == "closed"
