"""Asking a decision point over real sockets: requests, deadlines, failures (D1, D2, D5, B28)."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.pdp_server import Answer, Connection, DecisionPoint, says, sends

from cpex.framework.pdp import AuthZenResolver, OpaResolver, PdpResolver, PdpResult
from cpex.framework.pdp._http import MAX_ANSWER_BYTES, HttpResolver
from cpex.framework.pdp.base import PdpError

RESOLVERS = [(OpaResolver, "OPA"), (AuthZenResolver, "AuthZen")]
GENEROUS_MS = 20_000


@pytest.fixture
def point() -> Iterator[DecisionPoint]:
    with DecisionPoint() as server:
        yield server


def hangs(connection: Connection) -> None:
    """Say nothing until the client gives up."""
    connection.rfile.read(1)


def drips(connection: Connection) -> None:
    """Send a byte now and then, for ever: no pause is long enough for a timeout per read."""
    connection.send_response(200)
    connection.send_header("Content-Length", "1000000")
    connection.end_headers()
    while True:
        connection.wfile.write(b" ")
        threading.Event().wait(0.01)


def resets(connection: Connection) -> None:
    """Break the connection in the middle of the body."""
    connection.send_response(200)
    connection.send_header("Content-Length", "100")
    connection.end_headers()
    connection.wfile.write(b'{"result": tr')
    connection.wfile.flush()
    connection.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.connection.detach())  # closing the socket would wait for its files
    connection.close_connection = True


def never_ends(connection: Connection) -> None:
    """Send an endless body."""
    connection.send_response(200)
    connection.send_header("Transfer-Encoding", "chunked")
    connection.end_headers()
    while True:
        connection.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


@pytest.mark.parametrize("timeout_ms", [0, -1, float("nan")])
def test_no_time_to_decide_is_refused(timeout_ms: int) -> None:
    """C11: with fail_open every answer would be an allow."""
    with pytest.raises(ValueError, match=r"^timeout_ms: .* leaves no time"):
        OpaResolver("http://127.0.0.1/x", timeout_ms, fail_open=True)


def opa(endpoint: str, timeout_ms: int = GENEROUS_MS, **options: Any) -> OpaResolver:
    """Make a resolver that a slow machine does not run into its deadline."""
    return OpaResolver(endpoint, timeout_ms, **options)


async def failure(resolver: PdpResolver) -> PdpError:
    async with resolver:
        with pytest.raises(PdpError) as caught:
            await resolver.resolve({})
    return caught.value


async def test_the_request(point: DecisionPoint) -> None:
    """D1, D3."""
    async with opa(f"{point.url}/v1/data/x", headers={"Authorization": "Bearer t"}) as resolver:
        result = await resolver.resolve({"tool": "é", "n": [1, None]})
    assert result == PdpResult(True, latency_ms=result.latency_ms)
    assert result.latency_ms > 0
    (request,) = point.requests
    assert request.path == "/v1/data/x"
    assert request.body == {"input": {"tool": "é", "n": [1, None]}}
    assert request.headers["Authorization"] == "Bearer t"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("template", "values", "path"),
    [
        ("/v1/{tool}/allow", {"tool": "a b/c?d#e"}, "/v1/a%20b%2Fc%3Fd%23e/allow"),
        ("/v1/{tool}/allow", {"tool": "../../admin"}, "/v1/..%2F..%2Fadmin/allow"),
        ("/v1/{tool}/allow", {"tool": ".."}, "/v1/%2E%2E/allow"),
        ("/v1/{tool}/allow", {"tool": "é%41"}, "/v1/%C3%A9%2541/allow"),
        ("/v1/{tool}/{user}", {"tool": "t", "user": "u"}, "/v1/t/u"),
        ("/v1?t={tool}", {"tool": "a&b=c"}, "/v1?t=a%26b%3Dc"),
        ("/v1/{{x}}/{tool}", {"tool": "t"}, "/v1/%7Bx%7D/t"),
    ],
)
async def test_b28_placeholders_are_one_segment(
    point: DecisionPoint, template: str, values: dict[str, Any], path: str
) -> None:
    async with opa(point.url + template) as resolver:
        await resolver.resolve(values)
    assert [request.path for request in point.requests] == [path]


async def test_b28_compat_leaves_placeholders_as_they_are(
    point: DecisionPoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGINS_COMPAT", "0.1.4")
    async with opa(point.url + "/v1/{tool}/y") as resolver:
        await resolver.resolve({"tool": "a/b"})
    assert [request.path for request in point.requests] == ["/v1/a/b/y"]


@pytest.mark.parametrize("values", [{}, {"tool": 5}, {"tool": None}, {"tool": ["a"]}])
async def test_d2_a_missing_value_leaves_the_template(
    point: DecisionPoint, values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    template = f"{point.url}/v1/{{tool}}"
    async with opa(template) as resolver:
        await resolver.resolve(values)
    assert point.requests[0].path == "/v1/%7Btool%7D"
    assert f"OPA endpoint template has unresolved placeholders: {template}" in caplog.messages


@pytest.mark.parametrize("template", ["http://h/{", "http://h/}", "http://h/{}", "http://h/{a.b}", "http://h/{a!r}"])
def test_a_malformed_placeholder_is_refused_at_once(template: str) -> None:
    with pytest.raises(ValueError, match=r"^endpoint: .*write \{key\}"):
        opa(template)


@pytest.mark.parametrize("value", ["Bearer s3cr3t\n", "Bearer s3cr3t\r\nX: y", " s3cr3t", "s3cr3té"])
def test_a_header_that_can_not_be_sent_is_refused_without_its_value(value: str) -> None:
    """With `fail_open`, it would allow everything."""
    with pytest.raises(ValueError, match="^headers: the value of 'Authorization'") as caught:
        OpaResolver("http://h", headers={"Authorization": value}, fail_open=True)
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(ValueError, match="^headers: 'X Y' is no name of a header"):
        OpaResolver("http://h", headers={"X Y": "z"}, fail_open=True)


FAILURES: list[tuple[str, Answer, str, str]] = [
    ("status", says({"result": True}, 500), "HTTP 500", "HTTP 500"),
    ("not found", says({"result": True}, 404), "HTTP 404", "HTTP 404"),
    ("redirect", says({"result": True}, 302, Location="/elsewhere"), "HTTP 302", "HTTP 302"),
    ("permanent redirect", says({"result": True}, 308, Location="/elsewhere"), "HTTP 308", "HTTP 308"),
    ("reset", resets, "connection error: ReadError", "unreachable"),
    ("endless", never_ends, f"invalid answer: the body is longer than {MAX_ANSWER_BYTES} bytes", "invalid answer"),
    ("empty", sends(b""), "invalid answer: the body is not JSON", "invalid answer"),
    ("html", sends(b"<html>", Content_Type="text/html"), "invalid answer: the body is not JSON", "invalid answer"),
    ("cut", sends(b'{"result": tr'), "invalid answer: the body is not JSON", "invalid answer"),
    ("bytes", sends(b"\xff\x00\xfe"), "invalid answer: the body is not JSON", "invalid answer"),
    ("deep", sends(b"[" * 100_000), "invalid answer: the body is not JSON", "invalid answer"),
    ("no content", sends(b"", 204), "invalid answer: the body is not JSON", "invalid answer"),
    ("list", says([True]), "invalid answer: the body is a JSON list, not an object", "invalid answer"),
    ("true", says(True), "invalid answer: the body is a JSON bool, not an object", "invalid answer"),
    ("null", says(None), "invalid answer: the body is a JSON NoneType, not an object", "invalid answer"),
]


@pytest.mark.parametrize(("resolver", "service"), RESOLVERS)
@pytest.mark.parametrize(("answer", "text", "kind"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES])
async def test_d5_failures(
    point: DecisionPoint, resolver: type[OpaResolver], service: str, answer: Answer, text: str, kind: str
) -> None:
    """D5, B28: a `PdpError`, or with `fail_open` an allow that says why."""
    point.answer = answer
    error = await failure(resolver(f"{point.url}/x", timeout_ms=GENEROUS_MS))
    assert str(error) == f"{service} {text}"
    assert error.endpoint == f"{point.url}/x"
    assert isinstance(error.cause, Exception)
    async with resolver(f"{point.url}/x", timeout_ms=GENEROUS_MS, fail_open=True) as open_resolver:
        result = await open_resolver.resolve({})
    assert (result.allowed, result.reason, result.context) == (True, f"{service} {kind}, fail-open", {})
    assert result.latency_ms > 0
    assert {request.path for request in point.requests} == {"/x"}


@pytest.mark.parametrize(("resolver", "service"), RESOLVERS)
@pytest.mark.parametrize("answer", [hangs, drips])
async def test_d5_the_deadline_is_for_all_of_it(
    point: DecisionPoint, resolver: type[OpaResolver], service: str, answer: Answer
) -> None:
    """A server that drips forever would never exceed a timeout per read: without a total, this test does not end."""
    point.answer = answer
    error = await failure(resolver(point.url, timeout_ms=100))
    assert re.fullmatch(rf"{service} timeout after \d+ms", str(error))
    async with resolver(point.url, timeout_ms=100, fail_open=True) as open_resolver:
        assert (await open_resolver.resolve({})).reason == f"{service} timeout, fail-open"


async def test_d5_no_server() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        error = await failure(opa(endpoint))
        assert str(error).startswith("OPA connection error: ")
        async with opa(endpoint, fail_open=True) as resolver:
            assert (await resolver.resolve({})).reason == "OPA unreachable, fail-open"


@pytest.mark.parametrize("resolver", [OpaResolver, AuthZenResolver])
@pytest.mark.parametrize(
    "endpoint",
    ["", "nonsense", "localhost:1/x", "ftp://h/x", "http:///x", "http://u:s3cr3t/x@h", "http://h:port", "{base}/x"],
)
def test_an_address_that_is_no_url_is_refused_at_once(resolver: type[HttpResolver], endpoint: str) -> None:
    """C11: with `fail_open` it would allow everything."""
    with pytest.raises(ValueError, match="^endpoint: not an http\\(s\\) address; write one such as http://") as refused:
        resolver(endpoint, fail_open=True)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize("endpoint", ["http://{host}:{port}/{tool}", "https://h", "HTTP://[::1]:8181/x"])
def test_an_address_may_have_placeholders_anywhere_behind_its_scheme(endpoint: str) -> None:
    OpaResolver(endpoint)


def test_b28_compat_takes_an_address_from_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_COMPAT", "0.1.4")
    OpaResolver("{base}/x")


async def test_a_value_that_spoils_the_address_is_not_let_in(point: DecisionPoint) -> None:
    """An address that is too long is no failure of the decision point."""
    async with opa(point.url + "/{tool}", fail_open=True) as resolver:
        with pytest.raises(PdpError, match="^OPA connection error: the endpoint is not a URL$"):
            await resolver.resolve({"tool": "x" * 100_000})
    assert point.requests == []


async def test_secrets_stay_secret(point: DecisionPoint, caplog: pytest.LogCaptureFixture) -> None:
    """Neither headers nor credentials of the address are in an error or a log line, of ours or of the HTTP client."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="httpcore")  # at DEBUG it logs every header
    endpoint = point.url.replace("//", "//user:s3cr3t@")
    headers = {"X-Token": "t0k3n"}
    for answer in (says({}, 500), sends(b"x"), hangs, resets):
        point.answer = answer
        error = await failure(opa(endpoint, timeout_ms=1000, headers=headers))
        assert error.endpoint == point.url
        said = f"{error!r} {error.endpoint} {error.cause!r} {error.cause}" + caplog.text
        assert "s3cr3t" not in said
        assert "t0k3n" not in said
    assert point.requests[0].headers["Authorization"] == "Basic dXNlcjpzM2NyM3Q="
    assert point.requests[0].headers["X-Token"] == "t0k3n"


async def test_cancellation_goes_through_and_the_resolver_lives_on(point: DecisionPoint) -> None:
    point.answer = hangs
    async with opa(point.url, timeout_ms=GENEROUS_MS, fail_open=True) as resolver:
        task = asyncio.create_task(resolver.resolve({}))
        while not point.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        point.answer = says({"result": False})
        assert not (await resolver.resolve({})).allowed


async def test_an_outer_timeout_is_not_the_resolvers(point: DecisionPoint) -> None:
    point.answer = hangs
    async with opa(point.url, timeout_ms=GENEROUS_MS, fail_open=True) as resolver:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await resolver.resolve({})


async def test_connections_are_reused_and_closed(point: DecisionPoint) -> None:
    resolver = opa(point.url)
    for _ in range(5):
        await resolver.resolve({})
    assert point.connections == 1
    await asyncio.gather(*(resolver.resolve({}) for _ in range(20)))
    opened = point.connections
    await resolver.close()
    for _ in range(opened):
        assert await asyncio.to_thread(point.finished.acquire, timeout=30)
    await resolver.close()
    with pytest.raises(RuntimeError, match=r"^Cannot send a request, as the client has been closed\.$"):
        await resolver.resolve({})


def test_loops_one_after_the_other(point: DecisionPoint) -> None:
    """Each loop has connections of its own, which are closed when it ends."""
    resolver = opa(point.url)
    for number in range(1, 6):
        assert asyncio.run(resolver.resolve({})).allowed
        assert point.finished.acquire(timeout=30)
        assert point.connections == number
    assert len(resolver._clients._lifetimes) == 1


def test_loops_side_by_side(point: DecisionPoint) -> None:
    resolver = opa(point.url, timeout_ms=GENEROUS_MS)
    results: list[PdpResult] = []

    async def ask() -> None:
        for _ in range(5):
            results.extend(await asyncio.gather(*(resolver.resolve({}) for _ in range(4))))

    threads = [threading.Thread(target=asyncio.run, args=(ask(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.allowed for result in results] == [True] * 80
    for _ in range(point.connections):
        assert point.finished.acquire(timeout=30)


async def test_a_forgotten_resolver_closes_its_connections(point: DecisionPoint) -> None:
    resolver = opa(point.url)
    await resolver.resolve({})
    del resolver
    gc.collect()
    while not point.finished.acquire(blocking=False):
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan")])
async def test_input_that_is_no_json_is_the_callers_mistake(point: DecisionPoint, value: Any) -> None:
    async with opa(point.url, fail_open=True) as resolver:
        with pytest.raises((TypeError, ValueError)):
            await resolver.resolve({"value": value})
    assert point.requests == []


async def test_a_resolver_of_ones_own_has_nothing_to_close() -> None:
    class Never(PdpResolver):
        async def resolve(self, input_data: dict[str, Any]) -> PdpResult:
            return PdpResult(False, "never")

    async with Never() as resolver:
        assert not (await resolver.resolve({})).allowed
    with pytest.raises(TypeError, match="abstract"):
        PdpResolver()  # type: ignore[abstract]


def test_the_import_leaves_the_http_client_alone() -> None:
    """B35."""
    program = "import sys, cpex.framework.pdp.opa; print({'httpx', 'asyncio', 'ssl'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "httpx" not in done.stdout
