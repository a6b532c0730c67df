"""What entries and the environment say of connections: it counts, and what is no such value is told (B29, B31, W19)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.server_process import PLUGIN, Place, ServerProcess, free_port

from cpex.framework import ConfigLoader, GlobalContext, PluginError, TenantPluginManager
from cpex.framework.hooks.tools import ToolPreInvokePayload
from cpex.framework.settings import settings


@pytest.fixture(scope="module")
def grpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, grpc_port: int) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("server"))
    config = place.write("server.yaml", PLUGIN)
    words = ["-m", "cpex", "serve", str(config), f"-tgrpc={grpc_port}", f"-tunix={place.socket}", f"-tmcp={place.port}"]
    with ServerProcess(place, *words):
        yield place


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


async def loaded(place: Place, **section: Any) -> TenantPluginManager:
    manager = TenantPluginManager(ConfigLoader.load_config(str(place.host_config(**section))), timeout=60)
    await manager.initialize()
    return manager


def http(place: Place, host: str = "localhost", port: int | None = None) -> dict[str, Any]:
    return {"mcp": {"proto": "STREAMABLEHTTP", "url": f"http://{host}:{port or place.port}/mcp"}}


async def ask(manager: TenantPluginManager, name: str, **args: Any) -> bool:
    payload = ToolPreInvokePayload(name=name, args=args)
    result, _ = await manager.invoke_hook("tool_pre_invoke", payload, GlobalContext(request_id="1"))
    return result.continue_processing


async def test_no_place_for_a_call(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """`PLUGINS_HTTPX_MAX_CONNECTIONS` and `PLUGINS_HTTPX_POOL_TIMEOUT`."""
    monkeypatch.setenv("PLUGINS_HTTPX_MAX_CONNECTIONS", "1")
    monkeypatch.setenv("PLUGINS_HTTPX_POOL_TIMEOUT", "0.05")
    manager = await loaded(place, **http(place))
    plugin: Any = manager.get_plugin("ProbePlugin")
    slow = asyncio.create_task(ask(manager, "sleep", seconds=4))
    while plugin.servers[0].outstanding == 0:
        await asyncio.sleep(0.01)
    with pytest.raises(PluginError) as raised:
        await ask(manager, "deny")
    assert raised.value.error.code == "BUSY"
    assert "no connection was free for 0.05s" in raised.value.error.message
    assert await slow
    assert not await ask(manager, "deny")
    await manager.shutdown()


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port whose listener has a full queue: to who wants to connect there, nothing answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            yield port


async def test_a_server_that_does_not_take_the_connection(
    place: Place, deaf: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`PLUGINS_HTTPX_CONNECT_TIMEOUT`, and `connect_timeout` before it."""
    monkeypatch.setenv("PLUGINS_HTTPX_CONNECT_TIMEOUT", "0.2")
    (failure,) = (await loaded(place, **http(place, port=deaf))).load_failures
    assert "no connection within 200ms" in failure.error
    section = {"proto": "STREAMABLEHTTP", "url": f"http://localhost:{deaf}/mcp", "connect_timeout": 0.1}
    section["reconnect_attempts"] = 0
    (failure,) = (await loaded(place, mcp=section)).load_failures
    assert "no connection within 100ms" in failure.error


@pytest.mark.parametrize("transport", ["mcp", "grpc"])
async def test_a_server_that_takes_no_connection_costs_no_call(
    place: Place, grpc_port: int, deaf: int, transport: str
) -> None:
    """Another one is asked while there is time."""
    urls = [f"http://localhost:{port}/mcp" for port in (deaf, place.port)]
    sections: dict[str, dict[str, Any]] = {
        "mcp": {"proto": "STREAMABLEHTTP", "endpoints": urls, "connect_timeout": 0.5},
        "grpc": {"endpoints": [f"127.0.0.1:{port}" for port in (deaf, grpc_port)], "connect_timeout": 0.5},
    }
    manager = await loaded(place, **{transport: sections[transport]}, timeout_ms=8000)
    for _ in range(8):
        assert not await ask(manager, "deny")
    plugin: Any = manager.get_plugin("ProbePlugin")
    # Names are looked up side by side: the servers come in any order.
    assert sorted(str(deaf) in server.target for server in plugin.servers) == [False, True]
    await manager.shutdown()


@pytest.mark.parametrize(
    ("section", "shown"),
    [
        ({"grpc": {"target": "guards.example:1"}}, "guards.example:1: set grpc.tls"),
        ({"grpc": {"endpoints": ["localhost:1", "10.0.0.1:1"]}}, "10.0.0.1:1: set grpc.tls"),
        (
            {"mcp": {"proto": "STREAMABLEHTTP", "url": "http://guards.example/mcp?key=hush"}},
            "http://guards.example/mcp: use https",
        ),
    ],
)
async def test_a_token_that_others_could_read(place: Place, section: dict[str, Any], shown: str) -> None:
    """Without TLS it is for this machine alone."""
    ((name, fields),) = section.items()
    (failure,) = (await loaded(place, **{name: {**fields, "token": "t0ken"}})).load_failures
    assert failure.error.startswith(f"token: without TLS others can read it on its way to {shown}")
    assert "t0ken" not in failure.error and "hush" not in failure.error


async def test_a_token_in_the_environment_is_nobodys(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be shown to every server of the file."""
    for variable in ("PLUGINS_CLIENT_TOKEN", "PLUGINS_GRPC_CLIENT_TOKEN"):
        monkeypatch.setenv(variable, "t0ken")
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        section = {**http(place, port=port)["mcp"], "reconnect_attempts": 0}
        assert (await loaded(place, mcp=section)).load_failures
    assert heard
    assert not any(b"t0ken" in request or b"uthorization" in request for request in heard)


async def test_names_of_private_addresses(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """B29: only if asked for, and not where SSRF protection is off; `localhost` is this machine."""
    name = socket.gethostname()
    if not socket.gethostbyname(name).startswith(("127.", "10.", "172.", "192.168.")):
        pytest.skip("this machine's name stands for a public address")
    where = http(place, name, free_port())
    monkeypatch.setenv("PLUGINS_SSRF_CHECK_ADDRESSES", "true")
    (failure,) = (await loaded(place, **where)).load_failures
    assert "is an address of a private network" in failure.error
    manager = await loaded(place, **http(place))
    assert not await ask(manager, "deny")
    await manager.shutdown()
    monkeypatch.setenv("PLUGINS_SSRF_PROTECTION_ENABLED", "false")
    settings.cache_clear()
    (failure,) = (await loaded(place, **where)).load_failures
    assert "SSRF" not in failure.error


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"health_check": {"interval": 0}}, "health_check"),
        ({"health_check": {"misses": "many"}}, "misses"),
        ({"repeat": {"retries": -1}}, "retries"),
        ({"repeat": {"hedge_after": float("inf")}}, "hedge_after"),
        ({"breaker": {"wait": float("nan")}}, "wait"),
        ({"breaker": [1]}, "breaker"),
        ({"endpoints": ["relative"]}, "Unix socket path must be absolute, got 'relative'"),
    ],
)
def test_what_is_no_value_is_told_with_its_place(tmp_path: Path, options: dict[str, Any], problem: str) -> None:
    place = Place(tmp_path)
    config = place.host_config(unix_socket={"path": "/a", **options})
    with pytest.raises(ValueError, match="unix_socket") as raised:
        ConfigLoader.load_config(str(config))
    assert problem in str(raised.value)


@pytest.mark.parametrize("variable", ["MAX_CONNECTIONS", "CONNECT_TIMEOUT", "KEEPALIVE_EXPIRY"])
async def test_a_variable_that_is_no_value(place: Place, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"PLUGINS_HTTPX_{variable}", "-1")
    (failure,) = (await loaded(place, **http(place))).load_failures
    assert f"httpx_{variable.lower()}" in failure.error


async def test_a_time_that_is_none(place: Place) -> None:
    manager = await loaded(place, unix_socket={"path": str(place.socket), "timeout": -1})
    (failure,) = manager.load_failures
    assert failure.error == "timeout: -1 is not a time in seconds"
