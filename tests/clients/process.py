"""A server in a process of its own."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx

START_SECONDS = 300
STOP_SECONDS = 30


def free_port() -> int:
    """Returns a port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def server(command: list[str], ready: Callable[[], bool], log: Path, env: Mapping[str, str]) -> Iterator[None]:
    """Runs a server until the block ends; it must then end by itself when asked to.

    Args:
        command: The program and its arguments.
        ready: Says whether the server answers.
        log: Where its output goes; the folder is its working directory.
        env: The whole environment.

    Raises:
        AssertionError: It ended early, did not answer in time, or had to be killed.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=log.parent, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            assert process.poll() is None, f"{command} ended with {process.returncode}:\n{log.read_text()[-4000:]}"
            assert time.monotonic() < deadline, f"{command} does not answer:\n{log.read_text()[-4000:]}"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"{command} does not end when asked to:\n{log.read_text()[-4000:]}") from None


def answers(url: str) -> bool:
    """Says whether something answers at an address, whatever it says."""
    try:
        httpx.get(url, timeout=5)
    except httpx.TransportError:
        return False
    return True
