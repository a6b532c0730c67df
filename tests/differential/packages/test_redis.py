"""The rate limiter counts in a Redis, where its threads work beside the event loop; both packages share the limits."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from ..case import Call, Case
from ..side import Side
from .matrix import POLICIES, setup_named, to_case, to_plugin
from .work import pick, plain

SERVER: Final = shutil.which("redis-server")
START_SECONDS: Final = 20
CALL: Final[Call] = {"payload": {"name": "search", "args": {}}, "context": {"user": "alice", "tenant_id": "one"}}

pytestmark = pytest.mark.skipif(SERVER is None, reason="redis-server is not installed")


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that keeps nothing on disk."""
    assert SERVER is not None
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    folder: Path = tmp_path_factory.mktemp("redis")
    command = [SERVER, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"PING\r\n")
                assert connection.recv(16) == b"+PONG\r\n"
                return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def limiter(algorithm: str, url: str, calls: int) -> Case:
    """Returns a case that calls so often with three calls allowed."""
    plugin = to_plugin(setup_named("cpex-rate-limiter", "is generous"), "sequential")
    plugin["config"] = {
        "algorithm": algorithm,
        "by_user": "3/h",
        "backend": "redis",
        "redis_url": url,
        "redis_key_prefix": algorithm,
        "fail_mode": "closed",
    }
    return to_case([plugin], [CALL] * calls, POLICIES["no policy"])


def outcomes(case: Case, side: Side) -> list[Any]:
    """Returns None for each call that passes, and the code of the denial for the others."""
    results = [plain(call["result"]) for call in side.play(case)["calls"]]
    return [result["violation"] and pick(result, "violation.code") for result in results]


@pytest.mark.parametrize("algorithm", ["fixed_window", "sliding_window", "token_bucket"])
def test_both_packages_share_a_limit(ours: Side, published: Side, redis_url: str, algorithm: str) -> None:
    case = limiter(algorithm, redis_url, 2)
    assert outcomes(case, ours) == [None, None]
    assert outcomes(case, published) == [None, "RATE_LIMIT"]
    assert outcomes(case, ours) == ["RATE_LIMIT", "RATE_LIMIT"]


def test_no_server_is_a_denial(ours: Side, published: Side) -> None:
    case = limiter("fixed_window", "redis://127.0.0.1:1/0", 1)
    assert outcomes(case, ours) == outcomes(case, published) == ["BACKEND_UNAVAILABLE"]
