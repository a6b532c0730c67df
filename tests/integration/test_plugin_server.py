"""Plugin servers as processes, and the published package as their host."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.driver.mcp_host import McpHost
from tests.integration.certificates import Authority
from tests.integration.server_process import MODULES, PATIENCE, PEERS, PLUGIN, Place, ServerProcess, free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def published() -> str:
    """The interpreter of an environment with the published package."""
    python = Path(os.environ.get("CPEX_PUBLISHED_PYTHON", ROOT / ".venv-published" / "bin" / "python"))
    if not python.exists():
        pytest.fail(f"{python} does not exist: `make pytest` installs it, or set CPEX_PUBLISHED_PYTHON")
    return str(python)


def seen_by(python: str, place: Place, config: Path) -> dict[str, Any]:
    """What a host of the published package sees."""
    command = [python, str(PEERS / "host.py"), str(config)]
    environment = place.environment(PLUGINS_LOG_LEVEL="CRITICAL", PYTHONPATH=str(PEERS))
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True)
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def check_outcomes(seen: dict[str, Any]) -> None:
    # W81
    assert seen["plugins"] == 1
    assert seen["allow"]["continue_processing"] is True and seen["allow"]["violation"] is None
    modified = seen["modify"]["modified_payload"]
    assert modified["args"] == {"text": "modify", "added": 1, "f": 2.5, "ünï": "✓"}
    assert seen["modify"]["metadata"] == {"modified": True}
    assert seen["state"]["contexts"] == [
        {"state": {"k": {"v": 1}}, "metadata": {"m": "md"}, "global": {"sk": True, "g": [1, 2]}}
    ]
    assert seen["state"]["retry_delay_ms"] == 7
    violation = seen["deny"]["violation"]
    assert seen["deny"]["continue_processing"] is False
    assert (violation["code"], violation["http_status_code"], violation["mcp_error_code"]) == ("PROBE", 403, -32001)
    assert violation["details"] == {"n": 1, "l": ["a", None, 1.5]}
    assert "kaboom" in seen["raise"]["error"]["message"]
    error = seen["error"]["error"]
    assert (error["message"], error["code"], error["details"]) == ("perr msg", "PERR", {"k": 1})
    assert seen["echo"]["modified_payload"] is True


@pytest.mark.parametrize("transport", ["unix", "grpc", "grpc-uds", "mcp", "mcp-uds"])
def test_a_published_host_calls_our_server(published: str, place: Place, transport: str) -> None:
    # W60, W80
    kind, _, over = transport.partition("-")
    over_tcp = kind != "unix" and not over
    address = {"host": "127.0.0.1", "port": place.port} if over_tcp else {"uds": str(place.socket)}
    match kind:
        case "unix":
            target: dict[str, Any] = {"unix_socket": {"path": str(place.socket)}}
            place.write("server.yaml", PLUGIN)
        case "grpc":
            target = {"grpc": {"target": f"127.0.0.1:{place.port}"} if over_tcp else address}
            place.write("server.yaml", PLUGIN, grpc_server_settings=address)
        case _:
            url = f"http://localhost:{place.port}/mcp"
            target = {"mcp": {"proto": "STREAMABLEHTTP", "url": url, **({} if over_tcp else address)}}
            place.write("server.yaml", PLUGIN, server_settings=address)
    words = ["-m", MODULES[kind]]
    environment = {"PLUGINS_UNIX_SOCKET_PATH": str(place.socket), "PLUGINS_TRANSPORT": "http"}
    with ServerProcess(place, *words, over_tcp=over_tcp, **environment) as server:
        check_outcomes(seen_by(published, place, place.host_config(**target)))
        assert server.stop() == 0
        if kind == "unix":
            assert server.output() == "READY\n"  # W33
    assert not place.socket.exists()


def test_a_published_host_starts_our_server(published: str, place: Place) -> None:
    # W15
    place.write("server.yaml", PLUGIN)
    environment = place.environment(PLUGINS_TRANSPORT="stdio")
    words = [sys.executable, "-m", MODULES["mcp"]]
    config = place.host_config(mcp={"proto": "STDIO", "cmd": words, "env": environment})
    check_outcomes(seen_by(published, place, config))


def test_one_process_serves_all_at_once(published: str, place: Place) -> None:
    config = place.write("server.yaml", PLUGIN)
    other = place.folder / "grpc"
    words = [f"-tmcp={place.port}", f"-tgrpc={other}", f"-tunix={place.socket}"]
    with ServerProcess(place, "-m", "cpex", "serve", str(config), *words, over_tcp=False) as server:
        check_outcomes(seen_by(published, place, place.host_config(unix_socket={"path": str(place.socket)})))
        check_outcomes(seen_by(published, place, place.host_config(grpc={"uds": str(other)})))
        assert httpx.get(f"http://127.0.0.1:{place.port}/ready").json() == {"status": "ready"}
        assert server.stop(signal.SIGINT) == 0
        assert f"MCP over HTTP on 127.0.0.1:{place.port}" in server.log()


def test_the_programs_can_be_started_by_path(place: Place) -> None:
    # W61
    import cpex.framework.external.unix.server as package

    place.write("server.yaml", PLUGIN, unix_socket_server_settings={"path": str(place.socket)})
    script = Path(str(package.__file__)).with_name("runtime.py")
    with ServerProcess(place, str(script), over_tcp=False) as server:
        assert server.stop() == 0


GATE = """
import asyncio, ctypes, os
from pathlib import Path
from cpex.framework import Plugin, PluginResult

class Gate(Plugin):
    async def tool_pre_invoke(self, payload, context):
        path = Path(payload.args["path"])
        if payload.name == "hold":
            # Both keep the interpreter until somebody writes.
            system = ctypes.PyDLL(None)
            system.read(system.open(os.fsencode(path), os.O_RDONLY), ctypes.create_string_buffer(1), 1)
        while not path.exists():
            await asyncio.sleep(0.01)
        return PluginResult()
"""


def gated(place: Place) -> Path:
    """The configuration of a server whose plugin waits for a file, or for a byte in one."""
    (place.folder / "gate.py").write_text(GATE, encoding="utf-8")
    return place.write("server.yaml", {**PLUGIN, "name": "Gate", "kind": "gate.Gate"})


async def test_the_network_needs_no_interpreter(place: Place) -> None:
    """ARCHITECTURE.md: the thread of the network never asks for it."""
    pipe = place.folder / "pipe"
    os.mkfifo(pipe)
    url = f"http://127.0.0.1:{place.port}"
    with ServerProcess(place, "-m", "cpex", "serve", str(gated(place)), "--port", str(place.port)):
        async with McpHost(f"{url}/mcp") as host:
            call = asyncio.create_task(host.invoke("Gate", "hold", {"path": str(pipe)}))
            writer = await asyncio.to_thread(os.open, pipe, os.O_WRONLY)
            try:
                async with httpx.AsyncClient(timeout=30) as other:
                    for _ in range(20):
                        assert (await other.get(f"{url}/health")).status_code == 200
                        assert "calls_in_flight 1" in (await other.get(f"{url}/metrics")).text
                assert not call.done()
            finally:
                os.write(writer, b"!")
                os.close(writer)
            assert (await call)["result"]["continue_processing"] is True


async def test_probes_are_answered_until_the_last_call_has_ended(place: Place) -> None:
    gate, probed = place.folder / "open", free_port()
    words = [f"--port={place.port}", f"--status={probed}", "--grace=60"]
    with ServerProcess(place, "-m", "cpex", "serve", str(gated(place)), *words) as server:
        async with (
            McpHost(f"http://127.0.0.1:{place.port}/mcp") as host,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{probed}", headers={"connection": "close"}) as probe,
        ):
            call = asyncio.create_task(host.invoke("Gate", "wait", {"path": str(gate)}))
            while "calls_in_flight 1" not in (await probe.get("/metrics")).text:
                await asyncio.sleep(0.02)
            assert (await probe.get("/ready")).status_code == 200
            server.process.send_signal(signal.SIGTERM)
            while (answer := await probe.get("/ready")).status_code == 200:
                await asyncio.sleep(0.02)
            assert (answer.status_code, answer.json()) == (503, {"status": "not ready"})
            while host_is_let_in(place.port):
                await asyncio.sleep(0.02)
            assert (await probe.get("/health")).status_code == 200
            gate.touch()
            assert (await call)["result"]["continue_processing"] is True
        assert await asyncio.to_thread(server.process.wait, PATIENCE) == 0


def host_is_let_in(port: int) -> bool:
    """Does anybody listen there?"""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


async def test_calls_under_way_finish_after_sigterm(place: Place) -> None:
    config = place.write("server.yaml", PLUGIN)
    words = ["-m", "cpex", "serve", str(config), "--port", str(place.port), "--grace", "30"]
    with ServerProcess(place, *words) as server:
        async with McpHost(f"http://127.0.0.1:{place.port}/mcp") as host:
            call = asyncio.create_task(host.invoke("ProbePlugin", "sleep", {"seconds": 0.7}))
            while "cpex_server_calls_in_flight 1" not in (await host.http.get(host.url[:-3] + "metrics")).text:
                await asyncio.sleep(0.02)
            server.process.send_signal(signal.SIGTERM)
            assert (await call)["result"]["continue_processing"] is True
        assert await asyncio.to_thread(server.process.wait, PATIENCE) == 0


def start_fails(place: Place, *words: str, **environment: str) -> str:
    """What a server says that does not start."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=place.folder,
        env=place.environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode != 0 and done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--host", "0.0.0.0"], "refusing to serve without TLS"),
        (["-t", "carrier-pigeon"], "is none of mcp, grpc, unix, stdio"),
        (["-t", "mcp=x"], "is no PORT, HOST:PORT or path"),
        (["-t", "mcp", "-t", "grpc", "--port", "1"], "it is for one transport"),
        (["--tls-key", "k"], "the other TLS options need it"),
        (["--tls-cert", "c", "--client-auth", "require"], "needs --tls-ca"),
        (["--tls-cert", "/nowhere"], "cannot read /nowhere"),
        (["--token-env", "NO_SUCH_VARIABLE"], "is not set"),
        (["--token-file", "/nowhere"], "cannot read /nowhere"),
        (["--uds", "/nowhere/s"], "not in a directory that exists"),
    ],
)
def test_what_cannot_be_served_is_explained(place: Place, options: list[str], problem: str) -> None:
    config = place.write("server.yaml", PLUGIN)
    said = start_fails(place, "-m", "cpex", "serve", str(config), *options)
    assert problem in " ".join(said.replace("│", " ").split()) and "Traceback" not in said


def test_a_server_does_not_start_without_one_of_its_plugins(place: Place) -> None:
    config = place.write("server.yaml", {**PLUGIN, "kind": "no_such_module.Plugin"})
    said = start_fails(place, "-m", "cpex", "serve", str(config), "--port", str(place.port))
    assert "no module named 'no_such_module'" in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("kind", "prefix"), [("mcp", "PLUGINS_SERVER"), ("grpc", "PLUGINS_GRPC_SERVER")], ids=["mcp", "grpc"]
)
def test_no_plaintext_where_tls_is_asked_for(place: Place, kind: str, prefix: str) -> None:
    # B24
    place.write("server.yaml", PLUGIN)
    environment = {f"{prefix}_SSL_ENABLED": "true", "PLUGINS_TRANSPORT": "http"}
    assert f"{prefix}_SSL_ENABLED is true" in start_fails(place, "-m", MODULES[kind], **environment)


def test_there_is_a_port_for_the_status_beside_tls(place: Place) -> None:
    # W62
    certificate, key = Authority(place.folder).identity("localhost")
    tls = {"certfile": str(certificate), "keyfile": str(key), "ssl_cert_reqs": 0}
    settings = {"port": 64536, "tls": tls}
    place.write("server.yaml", PLUGIN, server_settings=settings)
    said = start_fails(place, "-m", MODULES["mcp"], PLUGINS_TRANSPORT="http")
    assert "at the port plus 1000" in said and "choose one up to 64535" in said and "Traceback" not in said


def trusting(authority: Authority, identity: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """What a client believes and shows."""
    context = ssl.create_default_context(cafile=str(authority.bundle))
    if identity is not None:
        context.load_cert_chain(*identity)
    return context


async def test_over_tls_only_clients_with_a_certificate_may_call(place: Place) -> None:
    # W50, W62
    authority = Authority(place.folder)
    certificate, key = authority.identity("localhost")
    config = place.write("server.yaml", PLUGIN)
    health = free_port()
    tls = ["--tls-cert", str(certificate), "--tls-key", str(key), "--tls-ca", str(authority.bundle)]
    url = f"https://localhost:{place.port}/mcp"
    with ServerProcess(place, "-m", "cpex", "serve", str(config), f"--port={place.port}", f"--status={health}", *tls):
        async with McpHost(url, verify=trusting(authority, authority.identity("client"))) as host:
            assert (await host.invoke("ProbePlugin", "deny"))["result"]["continue_processing"] is False
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            async with McpHost(url, verify=trusting(authority)):
                pass
        async with httpx.AsyncClient(base_url=f"http://localhost:{health}") as status:
            assert (await status.get("/health")).json() == {"status": "healthy"}
            metrics = (await status.get("/metrics/prometheus")).text
            assert 'ssl_enabled="true",transport="http"} 1.0' in metrics
            assert (await status.post("/mcp", json={})).status_code == 404
            assert (await status.post("/", json={})).status_code in (307, 404)


def test_peers_that_are_not_let_in_are_logged(place: Place) -> None:
    authority = Authority(place.folder)
    certificate, key = authority.identity("localhost")
    config = place.write("server.yaml", PLUGIN)
    tls = ["--tls-cert", str(certificate), "--tls-key", str(key), "--tls-ca", str(authority.bundle)]
    words = ["-m", "cpex", "serve", str(config), f"--port={place.port}", "--max-connections=1", "--log-level=INFO"]
    with ServerProcess(place, *words, *tls) as server:

        def ends(sent: bytes) -> None:
            with socket.create_connection(("127.0.0.1", place.port), PATIENCE) as caller, suppress(ConnectionError):
                caller.sendall(sent)
                while caller.recv(1024):
                    pass

        while "TLS handshake failed" not in server.log():
            ends(b"GET / HTTP/1.1\r\n\r\n")
        for _ in range(50):
            ends(b"GET / HTTP/1.1\r\n\r\n")
        with socket.create_connection(("127.0.0.1", place.port), PATIENCE):
            while "as many as are allowed are open" not in server.log():
                ends(b"")
        assert server.stop() == 0
        lines = [line for line in server.log().splitlines() if "A connection was refused: " in line]
    assert all(" WARNING cpex.framework.external._server.desk: " in line for line in lines)
    assert len(lines) < 10, "each once in a while"


async def test_reading_metrics_at_the_status_address_takes_no_right_to_call(place: Place) -> None:
    config = place.write("server.yaml", PLUGIN)
    calls, metrics = place.folder / "calls.token", place.folder / "metrics.token"
    calls.write_text("may-call", encoding="utf-8")
    metrics.write_text("may-read", encoding="utf-8")
    at = free_port()
    serve = ["-m", "cpex", "serve", str(config), f"--port={place.port}", f"--status={at}", f"--token-file={calls}"]

    async def answer(token: str | None) -> int:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{at}") as status:
            return (await status.get("/metrics", headers=headers)).status_code

    with ServerProcess(place, *serve):
        assert await answer(None) == 200
    with ServerProcess(place, *serve, f"--status-token-file={metrics}"):
        assert [await answer(token) for token in (None, "may-call", "may-read")] == [401, 401, 200]


async def test_systemd_is_told_when_it_is_ready(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    # sd_notify(3)
    config = place.write("server.yaml", PLUGIN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place.folder / "notify"))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(place.folder / "notify"))
        with ServerProcess(place, "-m", "cpex", "serve", str(config), f"--port={place.port}"):
            assert manager.recv(64) == b"READY=1"
