"""A gateway that is running, and the calls that the tests make to it."""

from __future__ import annotations

import contextlib
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ..process import answers, free_port, server

HERE = Path(__file__).parent
ADMIN = "admin@example.com"


@dataclass(frozen=True)
class Gateway:
    """A client that is logged in, and what the gateway writes."""

    http: httpx.Client
    team: str
    log: Path
    trail: Path

    def rpc(self, method: str, **params: Any) -> dict[str, Any]:
        """Makes a JSON-RPC request and returns the response."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        response: dict[str, Any] = self.http.post("/rpc", json=request).json()
        return response

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Calls a tool of the upstream server."""
        return self.rpc("tools/call", name=f"upstream-{tool}", arguments=arguments)

    def text(self, tool: str, **arguments: Any) -> str:
        """Calls a tool that must answer, and returns the text."""
        response = self.call(tool, **arguments)
        assert not response["result"]["isError"], response
        return str(response["result"]["content"][0]["text"])


@contextlib.contextmanager
def running(python: Path, directory: Path) -> Iterator[Gateway]:
    """Starts an MCP server and a gateway before it, with the plugins of this folder.

    Args:
        python: The interpreter of the environment in which the gateway is installed.
        directory: Where the database and the logs go.
    """
    upstream, port = free_port(), free_port()
    password = f"{secrets.token_urlsafe(24)}-Aa1"
    trail = directory / "trail.jsonl"
    env = {
        "PATH": str(python.parent),
        "HOME": str(directory),
        "PYTHONPATH": str(HERE),
        "PLUGINS_ENABLED": "true",
        "PLUGINS_PLUGIN_TIMEOUT": "1",
        "PLUGINS_CONFIG_FILE": str(HERE / "plugins.yaml"),
        "WITNESS_TRAIL": str(trail),
        "DATABASE_URL": f"sqlite:///{directory}/gateway.db",
        "CACHE_TYPE": "memory",
        "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        "AUTH_ENCRYPTION_SECRET": secrets.token_urlsafe(48),
        "PLATFORM_ADMIN_EMAIL": ADMIN,
        "PLATFORM_ADMIN_PASSWORD": password,
        "DEFAULT_USER_PASSWORD": f"{secrets.token_urlsafe(24)}-Aa1",
        "BASIC_AUTH_PASSWORD": f"{secrets.token_urlsafe(24)}-Aa1",
        "PASSWORD_CHANGE_ENFORCEMENT_ENABLED": "false",
        "MCPGATEWAY_ADMIN_API_ENABLED": "true",
        "OBSERVABILITY_ENABLED": "true",
        "SSRF_ALLOW_LOCALHOST": "true",
        "LOG_LEVEL": "INFO",
    }
    log = directory / "gateway.log"
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            server(
                [sys.executable, str(HERE / "upstream.py"), str(upstream)],
                lambda: answers(f"http://127.0.0.1:{upstream}/mcp"),
                directory / "upstream.log",
                {"PATH": ""},
            )
        )
        address = f"http://127.0.0.1:{port}"
        command = [str(python.parent / "mcpgateway"), "--port", str(port)]
        stack.enter_context(server(command, lambda: answers(f"{address}/health"), log, env))
        http = stack.enter_context(httpx.Client(base_url=address, timeout=60, headers={"Accept": "application/json"}))
        login = http.post("/auth/email/login", json={"email": ADMIN, "password": password}).raise_for_status()
        http.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
        team = http.get("/teams/").raise_for_status().json()["teams"][0]["id"]
        behind = {"name": "upstream", "url": f"http://127.0.0.1:{upstream}/mcp", "transport": "STREAMABLEHTTP"}
        http.post("/gateways", json=behind | {"team_id": team, "visibility": "team"}).raise_for_status()
        yield Gateway(http, team, log, trail)
