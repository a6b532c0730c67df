"""Where servers are: what is started for each transport and package, and how a host is told of it."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TRANSPORTS = {"unix": "Unix socket", "grpc": "gRPC", "mcp": "MCP over HTTP"}
PATIENCE = 60.0
"""Seconds that a server may take to start."""


@dataclass(frozen=True)
class Place:
    """An address of its own for one server: a port, or a socket file."""

    transport: str
    folder: Path
    port: int

    @property
    def path(self) -> str:
        return str(self.folder / f"{self.port}.sock")

    def reachable(self) -> bool:
        unix = self.transport == "unix"
        with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as probe:
            return probe.connect_ex(self.path if unix else ("127.0.0.1", self.port)) == 0

    def write(self, name: str, plugin: dict[str, Any], **sections: Any) -> str:
        path = self.folder / f"{self.port}-{name}.json"
        plugin = {"name": "noop", "hooks": ["tool_pre_invoke"], **plugin}
        path.write_text(json.dumps({"plugins": [plugin], "plugin_dirs": [], **sections}), encoding="utf-8")
        return str(path)

    def host_config(self) -> str:
        """Writes the configuration of a host that calls the server here; any package can read it."""
        target: dict[str, dict[str, Any]] = {
            "unix": {"unix_socket": {"path": self.path}},
            "grpc": {"grpc": {"target": f"127.0.0.1:{self.port}"}},
            "mcp": {"mcp": {"proto": "STREAMABLEHTTP", "url": f"http://localhost:{self.port}/mcp"}},
        }
        return self.write("host", {"kind": "external", **target[self.transport]})

    def server_config(self) -> str:
        tcp = {"host": "127.0.0.1", "port": self.port}
        sections = {"grpc": {"grpc_server_settings": tcp}, "mcp": {"server_settings": tcp}}
        return self.write("server", {"kind": "noop.Noop"}, **sections.get(self.transport, {}))


def ours(python: str, place: Place) -> list[str]:
    """Returns the command of our server."""
    address = place.path if place.transport == "unix" else f"127.0.0.1:{place.port}"
    return [python, "-m", "cpex", "serve", place.server_config(), "-t", f"{place.transport}={address}"]


def published(python: str, place: Place) -> list[str]:
    """Returns the command of the published server; the rest of its settings is in `environment`."""
    return [python, "-m", f"cpex.framework.external.{place.transport}.server.runtime"]


def floor(python: str, place: Place) -> list[str]:
    """Returns the command of a server without any package, which echoes."""
    return [python, str(HERE / "floors.py"), place.transport, place.path, str(place.port)]


def environment(place: Place) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PLUGINS_CONFIG_PATH": place.server_config(),
        "PLUGINS_TRANSPORT": "http",
        "PLUGINS_UNIX_SOCKET_PATH": place.path,
        "PLUGINS_LOG_LEVEL": "CRITICAL",
    }


@contextmanager
def serving(command: list[str], place: Place) -> Iterator[int]:
    """Runs a server until the block ends; enters it, with the process id, once the server listens."""
    log = place.folder / f"{place.port}.log"
    with (
        log.open("wb") as sink,
        subprocess.Popen(command, env=environment(place), stdout=sink, stderr=sink, cwd=place.folder) as process,
    ):
        try:
            deadline = time.monotonic() + PATIENCE
            while not place.reachable():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"no server: {' '.join(command)}: {log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.kill()


def processor_seconds(process: int) -> float:
    """Returns what a process has used of all processors so far; NaN where there is no /proc."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
