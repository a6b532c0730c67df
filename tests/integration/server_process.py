"""A plugin server as a process of its own, and how a host is told of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parents[2] / "crates" / "cpex-remote" / "tests" / "peers"
MODULES = {
    "unix": "cpex.framework.external.unix.server.runtime",
    "grpc": "cpex.framework.external.grpc.server.runtime",
    "mcp": "cpex.framework.external.mcp.server.runtime",
}
PLUGIN = {
    "name": "ProbePlugin",
    "kind": "probe_plugin.ProbePlugin",
    "description": "probe",
    "author": "me",
    "version": "1.2.3",
    "hooks": ["tool_pre_invoke"],
    "tags": ["a", "b"],
    "mode": "sequential",
    "priority": 42,
    "config": {"alpha": 1},
}
PATIENCE = 180
"""Seconds that an interpreter may take to start on a busy machine."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Place:
    """A folder for sockets and configurations, and a port."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PLUGINS_")}
        return {
            **kept,
            "PLUGINS_CONFIG_PATH": str(self.folder / "server.yaml"),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(PEERS), os.environ.get("PYTHONPATH")])),
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
        }

    def write(self, name: str, plugin: dict[str, Any], **sections: Any) -> Path:
        path = self.folder / name
        settings = {"plugin_timeout": 60}
        whole = {"plugins": [plugin], "plugin_dirs": [], "plugin_settings": settings, **sections}
        path.write_text(json.dumps(whole), encoding="utf-8")
        return path

    def host_config(self, **target: Any) -> Path:
        """The configuration of a host that reaches the server there."""
        plugin = {"name": "ProbePlugin", "kind": "external", "hooks": ["tool_pre_invoke"], **target}
        return self.write("host.yaml", plugin)

    def reachable(self, over_tcp: bool) -> bool:
        """Does anybody listen?"""
        probe = socket.socket() if over_tcp else socket.socket(socket.AF_UNIX)
        with probe:
            try:
                probe.connect(("127.0.0.1", self.port) if over_tcp else str(self.socket))
            except OSError:
                return False
            return True


class ServerProcess:
    """A plugin server of ours, in a process."""

    def __init__(self, place: Place, *words: str, over_tcp: bool = True, **environment: str) -> None:
        """Start it, and wait until it listens."""
        self.place = place
        self.process = subprocess.Popen(
            [sys.executable, *words],
            cwd=place.folder,
            env=place.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=(place.folder / "stderr").open("wb"),
            text=True,
        )
        deadline = time.monotonic() + PATIENCE
        while not place.reachable(over_tcp):
            assert self.process.poll() is None, f"it ended: {self.log()}"
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.02)

    def log(self) -> str:
        """What it said on standard error."""
        return (self.place.folder / "stderr").read_text(encoding="utf-8")

    def output(self) -> str:
        """What it printed, once it has ended."""
        assert self.process.stdout is not None
        return str(self.process.stdout.read())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
