"""External plugins: a real server at the other end, and everything that can go wrong between (W2, W3, W81, W82)."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpex.framework import (
    GlobalContext,
    PluginConfig,
    PluginError,
    PluginMode,
    PluginPayload,
    PluginResult,
    TenantPluginManager,
)
from cpex.framework.hooks.prompts import PromptPosthookPayload
from cpex.framework.hooks.tools import ToolPostInvokePayload, ToolPreInvokePayload
from cpex.framework.models import Config

from .world import HOOK

SCRIPT = Path(__file__).with_name("plugin_server.py")
TRANSPORTS = ("stdio", "http", "unix")


class Server:
    """The server in a process of its own; over stdio, its client starts it."""

    def __init__(self, transport: str, directory: Path) -> None:
        self.transport = transport
        self.path = str(directory / "s")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self.transport == "stdio":
            return
        place = self.path if self.transport == "unix" else str(self.port)
        Path(self.path).unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, SCRIPT, self.transport, place], stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"READY\n"

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def section(self, **more: Any) -> dict[str, Any]:
        """How the server is reached, as an entry says it."""
        match self.transport:
            case "stdio":
                return {"mcp": {"proto": "STDIO", "cmd": [sys.executable, str(SCRIPT), "stdio"], **more}}
            case "http":
                url = f"http://localhost:{self.port}/mcp"
                return {"mcp": {"proto": "STREAMABLEHTTP", "url": url, **more}}
        return {"unix_socket": {"path": self.path, **more}}

    def entry(self, **fields: Any) -> PluginConfig:
        """An entry of the plugin; over a Unix socket, it names the hook."""
        hooks = {"hooks": [HOOK]} if self.transport == "unix" else {}
        return PluginConfig(**{"name": "Probe", "kind": "external", **hooks, **self.section(), **fields})


@pytest.fixture(params=TRANSPORTS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    server = Server(request.param, tmp_path)
    server.start()
    yield server
    server.stop()


class Host:
    """A manager with the plugin of an entry."""

    def __init__(self, *entries: PluginConfig, timeout: float = 30) -> None:
        self.manager = TenantPluginManager(Config(plugins=list(entries)), timeout=timeout)

    async def __aenter__(self) -> Host:
        await self.manager.initialize()
        assert self.manager.load_failures == []
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.manager.shutdown()

    async def ask(self, name: str, context: GlobalContext | None = None, **args: Any) -> PluginResult[Any]:
        shared = context or GlobalContext(request_id=f"r-{name}")
        result, _ = await self.manager.invoke_hook(HOOK, ToolPreInvokePayload(name=name, args=args), shared)
        return result

    async def fails(self, name: str, **args: Any) -> PluginError:
        with pytest.raises(PluginError) as raised:
            await self.ask(name, **args)
        assert raised.value.error.plugin_name == "Probe"
        return raised.value


async def test_the_script(server: Server, tidy: Any) -> None:
    """W81."""
    async with Host(server.entry(mode="sequential")) as host:
        allowed = await host.ask("allow")
        assert (allowed.continue_processing, allowed.modified_payload, allowed.violation) == (True, None, None)

        modified = (await host.ask("modify", n=3, big=2**62 + 1)).modified_payload
        assert type(modified) is ToolPreInvokePayload
        assert modified.model_dump() == {
            "name": "m",
            "args": {"n": 3, "big": 2**62 + 1, "f": 2.5, "ünï": "✓"},
            "headers": None,
        }
        assert modified.args is not None
        assert type(modified.args["n"]) is int

        denied = await host.ask("deny")
        assert not denied.continue_processing
        assert denied.violation is not None
        assert denied.violation.plugin_name == "Probe"
        assert denied.violation.model_dump() == {
            "reason": "no",
            "description": "d",
            "code": "PROBE",
            "details": {"n": 1, "l": ["a", None, 1.5]},
            "mcp_error_code": -32001,
            "http_status_code": 403,
            "http_headers": {"X-P": "1"},
        }

        error = (await host.fails("error")).error
        assert (error.message, error.code, error.mcp_error_code) == ("perr", "PERR", -32603)


async def test_states_come_back(server: Server) -> None:
    """W3, B11: what the plugin adds, changes and deletes; what it leaves alone stays what it is."""
    kept = ("a", "tuple")
    shared = GlobalContext(request_id="1", state={"sk": kept, "gone": 1})
    async with Host(server.entry(mode="sequential")) as host:
        result, contexts = await host.manager.invoke_hook(HOOK, ToolPreInvokePayload(name="state", args={}), shared)
    assert result.retry_delay_ms == 7
    assert shared.state == {"sk": kept, "g": [1, 2]}
    assert type(shared.state["sk"]) is tuple
    assert contexts is not None
    (context,) = contexts.values()
    assert (context.state, context.metadata) == ({"k": {"v": 1}}, {"m": "md"})


async def test_what_is_sent(server: Server) -> None:
    """W9, W21: over MCP fields that are None are left out, None in a dict never is; W29 for the user's record."""
    shared = GlobalContext(request_id="1", user="alice", content_type="text/plain", state={"s": None})
    async with Host(server.entry(mode="sequential")) as host:
        sent = (await host.ask("sent", shared, none=None, ä=[1.5])).metadata
    assert sent is not None
    payload, context = sent["payload"], sent["context"]["global_context"]
    assert payload["args"] == {"none": None, "ä": [1.5]}
    assert ("headers" in payload, "tenant_id" in context) == (server.transport == "unix",) * 2
    assert (context["user"], context["content_type"], context["state"]) == ("alice", "text/plain", {"s": None})


async def test_the_server_completes_the_entry(server: Server) -> None:
    """W2: what the entry sets stays; the server has no say in where the plugin is and what the host expects of it."""
    if server.transport == "unix":
        pytest.skip("this server says nothing there")
    async with Host(server.entry(priority=3)) as host:
        config = host.manager._registry.get_all_plugins()[0].trusted_config
    assert (config.kind, config.priority, config.mode) == ("external", 3, PluginMode.CONCURRENT)
    assert "prompt_post_fetch" in config.hooks
    assert (config.tags, config.config) == (["remote"], {"alpha": 1})
    assert config.capabilities == frozenset()
    assert (config.required, config.timeout_ms) == (False, None)
    assert config.mcp == server.entry().mcp


async def test_capabilities_are_nothing_to_a_server_that_knows_no_extensions(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, not with each call."""
    async with Host(server.entry(capabilities=["read_headers"])) as host:
        await host.ask("allow")
        await host.ask("allow")
    told = [record.message for record in caplog.records if "does not understand extensions" in record.message]
    text = "External plugin 'Probe': its server does not understand extensions, so its capabilities grant nothing"
    assert told == [text]


async def test_hooks_of_other_types(server: Server) -> None:
    payloads: dict[str, PluginPayload] = {
        "tool_post_invoke": ToolPostInvokePayload(name="sent", result={"content": [{"text": "x"}]}),
        "prompt_post_fetch": PromptPosthookPayload(prompt_id="p", result={"messages": []}),
    }
    async with Host(server.entry(mode="sequential", hooks=list(payloads))) as host:
        for hook, payload in payloads.items():
            result, _ = await host.manager.invoke_hook(hook, payload, GlobalContext(request_id="1"))
            assert result.continue_processing


NEVER_ALLOWED = {
    "crash": ("DISCONNECTED", None),
    "silence": ("DISCONNECTED", None),
    "garbage": (None, None),
    "other": ("INVALID_RESPONSE", "another plugin"),
    "neither": ("INVALID_RESPONSE", "neither a result nor an error"),
    "undecided": ("INVALID_RESPONSE", "continue_processing is missing"),
    "no payload": ("INVALID_RESPONSE", "modified_payload"),
    "no decision": ("INVALID_RESPONSE", "continue_processing"),
    "broken context": ("INVALID_RESPONSE", "context"),
}


@pytest.mark.parametrize("name", NEVER_ALLOWED)
async def test_what_is_no_answer_is_never_an_allow(server: Server, name: str, tidy: Any) -> None:
    """W82: a failure, and the next call gets its own answer."""
    code, text = NEVER_ALLOWED[name]
    async with Host(server.entry(mode="sequential")) as host:
        error = await host.fails(name)
        assert code is None or error.error.code == code
        assert text is None or text in error.error.message
        assert "secret" not in repr(error) + repr(error.error) + repr(error.report)
        assert [line.outcome for line in error.report] == ["failed"]
        if name == "crash" and server.process is not None:
            server.process.wait()
            server.stop()
            server.start()
        assert (await host.ask("deny")).violation is not None


async def test_a_denial_survives_a_broken_context(server: Server) -> None:
    async with Host(server.entry(mode="sequential", on_error="ignore")) as host:
        assert not (await host.ask("deny, broken context")).continue_processing


@pytest.mark.parametrize("end", ["deadline", "cancelled"])
async def test_a_call_that_is_given_up(server: Server, end: str, tmp_path: Path, tidy: Any) -> None:
    """B14, W35: the late answer is nobody's, although other calls are under way when it comes."""
    signs = {sign: tmp_path / sign for sign in ("begun", "finish", "ended")}
    async with Host(server.entry(mode="sequential"), timeout=2 if end == "deadline" else 30) as host:
        slow = asyncio.create_task(host.ask("wait", None, **{sign: str(path) for sign, path in signs.items()}))
        while not signs["begun"].exists():
            await asyncio.sleep(0.01)
        if end == "deadline":
            with pytest.raises(PluginError, match="exceeded"):
                await slow
        else:
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow
        signs["finish"].touch()
        late, after = 0, 0
        while after < 5:
            modified: Any = (await host.ask("modify", n=late)).modified_payload
            assert modified.args["n"] == late
            late, after = late + 1, after + signs["ended"].exists()


async def test_the_server_is_started_again(server: Server) -> None:
    """W13."""
    if server.transport == "stdio":
        pytest.skip("its client starts it")
    async with Host(server.entry(mode="sequential")) as host:
        assert (await host.ask("allow")).continue_processing
        server.stop()
        error = await host.fails("allow")
        assert error.error.code in ("NOT_CONNECTED", "DISCONNECTED")
        server.start()
        assert (await host.ask("deny")).violation is not None


async def test_many_calls_at_a_time(server: Server, tidy: Any) -> None:
    async with Host(server.entry(mode="sequential")) as host:
        asked = [host.ask("modify", n=n) for n in range(200)]
        results = await asyncio.gather(*asked)
    changed = [result.modified_payload for result in results]
    assert [payload and payload.args["n"] for payload in changed] == list(range(200))


async def test_large_payloads(server: Server) -> None:
    text = "ä" * 300_000
    async with Host(server.entry(mode="sequential")) as host:
        result = await host.ask("modify", text=text)
    assert result.modified_payload is not None
    assert result.modified_payload.args["text"] == text


@pytest.mark.parametrize(
    "value",
    [object(), {"deep": [b"\xff"]}, float("nan"), {"deep": [float("-inf")]}],
    ids=["object", "bytes", "nan", "infinity"],
)
async def test_what_has_no_json(server: Server, value: Any) -> None:
    """W28: the path of the value, not the value."""
    async with Host(server.entry(mode="sequential")) as host:
        error = await host.fails("allow", fine=1, bad=value)
    assert "payload.args.bad" + (".deep[0]" if isinstance(value, dict) else "") in error.error.message
    assert "0x" not in error.error.message
    assert error.error.code == "NOT_SENDABLE"


async def test_a_forked_process_has_connections_of_its_own(server: Server) -> None:
    async with Host(server.entry(mode="sequential")) as host:
        assert (await host.ask("allow")).continue_processing
        child = os.fork()
        if child == 0:
            try:
                asked = asyncio.new_event_loop()
                asyncio.events._set_running_loop(None)
                denied = asked.run_until_complete(host.ask("deny"))
                os._exit(0 if denied.violation is not None else 1)
            except BaseException:
                os._exit(2)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert (await host.ask("deny")).violation is not None


async def test_without_a_server(tmp_path: Path) -> None:
    entry = PluginConfig(name="Probe", kind="external", hooks=[HOOK], unix_socket={"path": str(tmp_path / "none")})
    manager = TenantPluginManager(Config(plugins=[entry]))
    await manager.initialize()
    (failure,) = manager.load_failures
    assert failure.phase == "initialize"
    assert failure.error.startswith(f"Failed to connect to {tmp_path}/none: No such file")


async def test_a_program_that_is_not_there() -> None:
    """W15."""
    entry = PluginConfig(name="Probe", kind="external", mcp={"proto": "STDIO", "cmd": ["/no/such/program"]})
    manager = TenantPluginManager(Config(plugins=[entry]))
    await manager.initialize()
    (failure,) = manager.load_failures
    assert failure.error.startswith("External plugin 'Probe' cannot start /no/such/program: No such file")


class TestReplicas:
    """Several servers with the same plugin."""

    @pytest.fixture
    def servers(self, tmp_path: Path) -> Iterator[list[Server]]:
        servers = []
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            servers.append(Server("unix", tmp_path / name))
            servers[-1].start()
        yield servers
        for server in servers:
            server.stop()

    def entry(self, servers: list[Server], **more: Any) -> PluginConfig:
        section = {"endpoints": [server.path for server in servers], **more}
        return PluginConfig(name="Probe", kind="external", hooks=[HOOK], unix_socket=section)

    async def answering(self, host: Host, calls: int) -> list[int]:
        """The processes that answer, one call after the other."""
        results = [await host.ask("sent") for _ in range(calls)]
        return [result.metadata["process"] for result in results if result.metadata]

    async def test_calls_are_spread(self, servers: list[Server], tidy: Any) -> None:
        async with Host(self.entry(servers)) as host:
            asked = await self.answering(host, 10)
        processes = [server.process.pid for server in servers if server.process]
        assert sorted(asked) == sorted(processes * 5)

    async def test_one_that_is_gone_is_left_out_until_it_is_back(self, servers: list[Server], tidy: Any) -> None:
        breaker = {"failures": 1, "wait": 0.05, "successes": 1}
        entry = self.entry(servers, reconnect_attempts=0, breaker=breaker)
        async with Host(entry) as host:
            await self.answering(host, 2)
            servers[0].stop()
            rest = await self.answering(host, 6)
            assert len(rest) == 6
            assert len(set(rest)) == 1
            servers[0].start()
            while len(set(await self.answering(host, 2))) < 2:
                await asyncio.sleep(0.02)

    async def test_all_are_gone(self, servers: list[Server]) -> None:
        entry = self.entry(servers, reconnect_attempts=0, breaker={"failures": 1, "wait": 60})
        async with Host(entry) as host:
            await self.answering(host, 2)
            for server in servers:
                server.stop()
            assert (await host.fails("allow")).error.code == "NOT_CONNECTED"
            error = (await host.fails("allow")).error
        assert error.code == "BREAKER_OPEN"
        assert error.message == (
            "External plugin 'Probe' is not called: all 2 servers have failed lately and are left alone for a while "
            f"({servers[0].path}, {servers[1].path})"
        )

    async def test_a_call_that_may_have_run_is_not_repeated(self, servers: list[Server], tmp_path: Path) -> None:
        journal = tmp_path / "journal"
        async with Host(self.entry(servers)) as host:
            assert (await host.fails("crash", journal=str(journal))).error.code == "DISCONNECTED"
            (crashed,) = journal.read_text().split()
            (answering,) = set(await self.answering(host, 2))
        assert answering != int(crashed)

    @pytest.mark.parametrize(
        ("first", "repeat", "counted"),
        [
            ("crash", {"retries": 1}, "retried"),
            ("hang", {"retries": 0, "hedge_after": 0.05}, "hedged"),
        ],
    )
    async def test_a_call_of_an_idempotent_plugin_is(
        self, servers: list[Server], tmp_path: Path, first: str, repeat: dict[str, Any], counted: str
    ) -> None:
        journal = tmp_path / "journal"
        async with Host(self.entry(servers, repeat=repeat)) as host:
            result = await host.ask(f"{first}, then answer", asked=str(tmp_path / "asked"), journal=str(journal))
            plugin: Any = host.manager.get_plugin("Probe")
            assert sum(getattr(server, counted) for server in plugin.servers) == 1
        asked = [int(process) for process in journal.read_text().split()]
        assert len(set(asked)) == 2
        assert result.metadata == {"process": asked[1]}
