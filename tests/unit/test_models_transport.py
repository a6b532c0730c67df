"""TLS, client and server sections (F7-F10, F14, B24)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from cpex.framework.models import (
    GRPCClientConfig,
    GRPCClientTLSConfig,
    GRPCServerConfig,
    GRPCServerTLSConfig,
    MCPClientConfig,
    MCPClientTLSConfig,
    MCPServerConfig,
    MCPServerTLSConfig,
    UnixSocketClientConfig,
    UnixSocketServerConfig,
)
from cpex.framework.settings import settings


@pytest.fixture(autouse=True)
def fresh_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "f.pem"
    path.write_text("x")
    return str(path)


def error_of(model: type[BaseModel], **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(fields)
    return str(caught.value.errors()[0]["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"proto": "STDIO", "url": "http://h"}, "URL is only valid for HTTP/SSE transports"),
        ({"proto": "HTTP", "script": "x.py"}, "script/cmd/env/cwd are only valid for STDIO transport"),
        ({"proto": "SSE", "cmd": ["x"]}, "script/cmd/env/cwd are only valid for STDIO transport"),
        ({"proto": "SSE", "env": {"a": "b"}}, "script/cmd/env/cwd are only valid for STDIO transport"),
        ({"proto": "SSE", "cwd": "."}, "script/cmd/env/cwd are only valid for STDIO transport"),
        ({"proto": "SSE", "uds": "s"}, "uds is only valid for STREAMABLEHTTP transport"),
        ({"proto": "STDIO", "tls": {}}, "TLS configuration is only valid for HTTP/SSE transports"),
        (
            {"proto": "STREAMABLEHTTP", "uds": "s", "tls": {}},
            "TLS configuration is not supported for Unix domain sockets.",
        ),
        ({"proto": "STDIO", "cmd": []}, "MCP stdio cmd must be a non-empty list."),
        ({"proto": "STDIO", "cmd": ["a", " "]}, "MCP stdio cmd entries must be non-empty strings."),
        ({"proto": "STDIO", "env": {}}, "MCP stdio env must be a non-empty dict."),
        ({"proto": "STDIO", "env": {" ": "x"}}, "MCP stdio env keys must be non-empty strings."),
        ({"proto": "STDIO", "cwd": "/nowhere"}, "MCP stdio cwd /nowhere does not exist or is not a directory."),
        ({"proto": "STDIO", "script": "/nowhere.py"}, "MCP server script /nowhere.py does not exist."),
        ({"proto": "STREAMABLEHTTP", "uds": " "}, "MCP client uds must be a non-empty string."),
        ({"proto": "STREAMABLEHTTP", "uds": "/nowhere/s"}, "MCP client uds parent directory does not exist: /nowhere"),
        (
            {"proto": "STREAMABLEHTTP", "url": "http://10.0.0.1/x"},
            "URL contains IP address blocked by SSRF protection (10.0.0.1)",
        ),
    ],
)
def test_mcp_client_errors(fields: dict[str, Any], message: str) -> None:
    assert error_of(MCPClientConfig, **fields) == message


def test_scripts_are_checked_only_if_absolute(tmp_path: Path) -> None:
    assert MCPClientConfig(proto="STDIO", script="nowhere").script == "nowhere"
    script = tmp_path / "server"
    script.write_text("")
    assert error_of(MCPClientConfig, proto="STDIO", script=str(script)) == (
        f"MCP server script {script} must be executable."
    )
    script.chmod(0o755)
    assert MCPClientConfig(proto="STDIO", script=str(script)).script == str(script)
    python = tmp_path / "server.py"
    python.write_text("")
    assert MCPClientConfig(proto="STDIO", script=str(python)).script == str(python)


def test_paths_become_absolute(tmp_path: Path) -> None:
    assert MCPClientConfig(proto="STDIO", cwd=".").cwd == str(tmp_path)
    assert MCPClientConfig(proto="STREAMABLEHTTP", uds="s").uds == str(tmp_path / "s")
    assert GRPCServerConfig(uds="s").get_bind_address() == f"unix://{tmp_path / 's'}"


def test_world_writable_socket_directory_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o777)
    with caplog.at_level(logging.WARNING, "cpex.framework.models"):
        MCPServerConfig(uds="s")
        GRPCClientConfig(uds="s")
    assert [record.getMessage() for record in caplog.records] == [
        f"MCP server uds parent directory {tmp_path} is world-writable. "
        "This may allow unauthorized socket hijacking. "
        "Consider using a directory with restricted permissions (e.g., 0o700).",
        f"gRPC client uds parent directory {tmp_path} is world-writable. "
        "Consider using a directory with restricted permissions.",
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "gRPC client must have either 'target' or 'uds' configured"),
        ({"target": "h:1", "uds": "s"}, "gRPC client cannot have both 'target' and 'uds' configured"),
        ({"target": "h"}, "gRPC target must be in host:port format, got 'h'"),
        ({"target": ""}, "gRPC target address cannot be empty"),
        ({"uds": "s", "tls": {}}, "TLS configuration is not supported for Unix domain sockets"),
        ({"uds": ""}, "gRPC client uds must be a non-empty string."),
    ],
)
def test_grpc_client_errors(fields: dict[str, Any], message: str) -> None:
    assert error_of(GRPCClientConfig, **fields) == message


def test_addresses() -> None:
    assert GRPCClientConfig(target="h:1").get_target() == "h:1"
    assert GRPCServerConfig().get_bind_address() == "127.0.0.1:50051"
    assert MCPServerConfig().model_dump() == {"host": "127.0.0.1", "port": 8000, "uds": None, "tls": None}


def test_unix_sockets() -> None:
    assert error_of(UnixSocketClientConfig, path="") == "Unix socket path cannot be empty"
    assert error_of(UnixSocketClientConfig, path="a") == "Unix socket path must be absolute, got 'a'"
    assert UnixSocketClientConfig(path="/a").model_dump() == {
        "path": "/a",
        "reconnect_attempts": 3,
        "reconnect_delay": 0.1,
        "timeout": 30.0,
    }
    assert UnixSocketServerConfig().path.endswith("/mcpgateway-plugins.sock")


def test_tls_files(file: str) -> None:
    assert error_of(MCPClientTLSConfig, certfile="/nowhere") == "TLS file path does not exist: /nowhere"
    assert error_of(MCPClientTLSConfig, keyfile=file) == "keyfile requires certfile to be specified"
    assert MCPClientTLSConfig(certfile=file, keyfile=file).model_dump() == {
        "certfile": file,
        "keyfile": file,
        "ca_bundle": None,
        "keyfile_password": None,
        "verify": True,
        "check_hostname": True,
    }
    assert GRPCServerTLSConfig(client_auth="NONE").client_auth == "none"
    assert "client_auth must be one of" in error_of(GRPCServerTLSConfig, client_auth="maybe")


def test_nothing_set_in_the_environment_is_none() -> None:
    sections = (
        MCPClientTLSConfig,
        MCPServerTLSConfig,
        MCPServerConfig,
        GRPCClientTLSConfig,
        GRPCServerTLSConfig,
        GRPCServerConfig,
        UnixSocketServerConfig,
    )
    assert [section.from_env() for section in sections] == [None] * 7


def test_client_tls_from_env(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.setenv("PLUGINS_CLIENT_MTLS_CERTFILE", file)
    monkeypatch.setenv("PLUGINS_CLIENT_MTLS_KEYFILE_PASSWORD", "pw")
    monkeypatch.setenv("PLUGINS_CLIENT_MTLS_CHECK_HOSTNAME", "")
    monkeypatch.setenv("PLUGINS_CLIENT_MTLS_VERIFY", "false")
    assert MCPClientTLSConfig.from_env() == MCPClientTLSConfig(certfile=file, keyfile_password="pw", verify=False)


def test_server_tls_is_read_only_if_switched_on(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.setenv("PLUGINS_SERVER_PORT", "99")
    monkeypatch.setenv("PLUGINS_SERVER_SSL_CERTFILE", file)
    assert MCPServerConfig.from_env() == MCPServerConfig(port=99)
    monkeypatch.setenv("PLUGINS_SERVER_SSL_ENABLED", "true")
    settings.cache_clear()
    assert MCPServerConfig.from_env() == MCPServerConfig(port=99, tls=MCPServerTLSConfig(certfile=file))


def test_servers_refuse_plaintext_where_tls_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_SERVER_SSL_ENABLED", "true")
    with pytest.raises(ValueError, match="PLUGINS_SERVER_SSL_ENABLED is true.*PLUGINS_SERVER_SSL_CERTFILE"):
        MCPServerConfig.from_env()
    monkeypatch.setenv("PLUGINS_GRPC_SERVER_SSL_ENABLED", "1")
    monkeypatch.setenv("PLUGINS_GRPC_SERVER_SSL_CLIENT_AUTH", "none")
    with pytest.raises(ValueError, match="CERTFILE and PLUGINS_GRPC_SERVER_SSL_KEYFILE"):
        GRPCServerConfig.from_env()


def test_unix_socket_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_UNIX_SOCKET_PATH", "/second")
    monkeypatch.setenv("UNIX_SOCKET_PATH", "/first")
    assert UnixSocketServerConfig.from_env() == UnixSocketServerConfig(path="/first")
