"""Where an external plugin is, and how often it is asked: what entries may say beyond 0.1.4 (F6-F10, B31)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from cpex.framework import PluginConfig
from cpex.framework.external._options import addresses, connect_timeout
from cpex.framework.models import GRPCClientConfig, MCPClientConfig, UnixSocketClientConfig

HTTP = {"proto": "STREAMABLEHTTP"}


def error_of(model: Any, **fields: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        model(**fields)
    (error,) = raised.value.errors()
    return str(error["msg"]).removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("model", "fields", "address"),
    [
        (MCPClientConfig, HTTP, "url"),
        (GRPCClientConfig, {}, "target"),
        (UnixSocketClientConfig, {}, "path"),
    ],
)
class TestEndpoints:
    SERVERS = {"url": ["http://a/mcp", "http://b/mcp"], "target": ["a:1", "b:1"], "path": ["/a", "/b"]}

    def test_the_first_is_the_address(self, model: Any, fields: dict[str, Any], address: str) -> None:
        first, second = self.SERVERS[address]
        config = model(**fields, endpoints=[first, second])
        assert (getattr(config, address), addresses(config)) == (first, [first, second])

    def test_the_address_counts_too(self, model: Any, fields: dict[str, Any], address: str) -> None:
        """So that 0.1.4, which does not know `endpoints`, finds one of them."""
        first, second = self.SERVERS[address]
        config = model(**fields, **{address: first}, endpoints=[second, first])
        assert addresses(config) == [first, second]

    def test_one_server(self, model: Any, fields: dict[str, Any], address: str) -> None:
        config = model(**fields, **{address: self.SERVERS[address][0]})
        assert addresses(config) == self.SERVERS[address][:1]

    def test_none(self, model: Any, fields: dict[str, Any], address: str) -> None:
        message = error_of(model, **fields, **{address: self.SERVERS[address][0]}, endpoints=[])
        assert message == "List should have at least 1 item after validation, not 0"

    def test_dumps_are_those_of_0_1_4(self, model: Any, fields: dict[str, Any], address: str) -> None:
        config = model(**fields, **{address: self.SERVERS[address][0]})
        assert not {"endpoints", "breaker", "token"} & set(config.model_dump())
        assert "endpoints" not in repr(config)


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        (
            MCPClientConfig,
            {**HTTP, "url": "http://a", "endpoints": ["http://10.0.0.1/"]},
            "endpoints[0] contains IP address blocked by SSRF protection (10.0.0.1)",
        ),
        (
            MCPClientConfig,
            {"proto": "STDIO", "cmd": ["x"], "endpoints": ["http://a/"]},
            "endpoints, token and connect_timeout are only valid for STREAMABLEHTTP transport",
        ),
        (GRPCClientConfig, {"endpoints": ["a:1", "b"]}, "gRPC target must be in host:port format, got 'b'"),
        (UnixSocketClientConfig, {"endpoints": ["/a", "b"]}, "Unix socket path must be absolute, got 'b'"),
    ],
)
def test_each_server_is_checked(model: Any, fields: dict[str, Any], message: str) -> None:
    assert error_of(model, **fields) == message


def test_a_socket_is_one_server(tmp_path: Any) -> None:
    uds = str(tmp_path / "s")
    assert error_of(GRPCClientConfig, uds=uds, endpoints=["a:1"]) == (
        "gRPC client cannot have both 'uds' and 'endpoints' configured"
    )
    message = error_of(MCPClientConfig, **HTTP, uds=uds, endpoints=["http://a/", "http://b/"])
    assert message == "endpoints: uds is one server, and its url one address"


@pytest.mark.parametrize("field", ["failures", "wait", "longest_wait", "successes"])
def test_a_breaker_counts_from_one(field: str) -> None:
    message = error_of(UnixSocketClientConfig, path="/a", breaker={field: 0})
    assert message.startswith("Input should be greater than")


def test_tokens_are_not_shown() -> None:
    config = PluginConfig(name="p", kind="external", grpc={"target": "a:1", "token": "a-secret"})
    shown = repr(config) + str(config.model_dump()) + config.model_dump_json()
    assert "a-secret" not in shown


@pytest.mark.parametrize(
    ("model", "fields"), [(MCPClientConfig, {**HTTP, "url": "http://a"}), (GRPCClientConfig, {"target": "a:1"})]
)
def test_a_connection_takes_less_than_a_call(model: Any, fields: dict[str, Any]) -> None:
    message = error_of(model, **fields, connect_timeout=3, timeout=2)
    assert message == "connect_timeout (3.0 s) is more than timeout (2.0 s)"
    assert error_of(model, **fields, connect_timeout=0) == "Input should be greater than 0"

    def seconds(timeout_ms: int | None = None, **more: Any) -> float:
        entry = PluginConfig(name="p", kind="external", grpc={"target": "a:1"}, timeout_ms=timeout_ms)
        return connect_timeout(entry, model(**fields, **more))

    assert seconds() == 2
    assert seconds(timeout=30) == 2
    assert seconds(timeout=1) == 0.5
    assert seconds(timeout=2, timeout_ms=600) == 0.3
    assert seconds(timeout=1, timeout_ms=100) == 0.25
    assert seconds(timeout=1, connect_timeout=1) == 1
