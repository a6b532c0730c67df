"""What the configuration models say of a connection, as the Rust client takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from cpex.framework._models.client import (
    BreakerConfig,
    GRPCClientConfig,
    HealthCheckConfig,
    MCPClientConfig,
    UnixSocketClientConfig,
)
from cpex.framework._models.tls import GRPCClientTLSConfig, MCPClientTLSConfig

if TYPE_CHECKING:
    from pydantic import SecretStr

    from cpex.framework.models import PluginConfig


_LEAST = 0.25
"""Seconds for a connection to be made over some distance when the plugin is loaded, however short its calls are."""


class BreakerOptions(TypedDict):
    """When a server is left alone; times in seconds, here and below."""

    failures: int
    wait: float
    longest_wait: float
    successes: int


class HealthOptions(TypedDict):
    """How servers are watched."""

    interval: float
    timeout: float
    misses: int


class RepeatOptions(TypedDict):
    """How calls of an idempotent plugin are repeated."""

    retries: int
    wait: float
    hedge_after: float | None


class ClientOptions(TypedDict):
    """What there is to say of every transport. What is None is as usual, or not done."""

    timeout: float | None
    reconnect_attempts: int | None
    reconnect_delay: float | None
    connect_timeout: float | None
    calls: int | None
    turn: float | None
    token: str | None
    breaker: BreakerOptions
    health_check: HealthOptions | None
    repeat: RepeatOptions | None


class Pooling(TypedDict):
    """How connections over HTTP are made and kept; times in seconds."""

    write: float
    idle: int
    expiry: float
    public_only: bool


class TlsFiles(TypedDict):
    """What is shown to a server, and whom it is believed on the word of."""

    certfile: str | None
    keyfile: str | None
    keyfile_password: str | None
    ca_bundle: str | None
    verify: bool
    check_hostname: bool


class StartedServer(TypedDict):
    """A server that is started: a command, or a script and what runs it if it ends in `.py`."""

    cmd: list[str] | None
    script: str | None
    env: list[tuple[str, str]]
    cwd: str | None
    python: str


def addresses(section: MCPClientConfig | GRPCClientConfig | UnixSocketClientConfig) -> list[str]:
    """List the servers of a plugin.

    Args:
        section: The section of its entry.

    Returns:
        Their addresses, each once; none for a server that is started.
    """
    match section:
        case MCPClientConfig():
            first = section.url
        case GRPCClientConfig():
            first = section.get_target()
        case UnixSocketClientConfig():
            first = section.path
    return list(dict.fromkeys(filter(None, (first, *(section.endpoints or ())))))


def options(
    section: MCPClientConfig | GRPCClientConfig | UnixSocketClientConfig,
    *,
    timeout: float | None = None,
    connect_timeout: float | None = None,
    calls: int | None = None,
    turn: float | None = None,
) -> ClientOptions:
    """Say how connections to a server are made and kept.

    Args:
        section: The section of the plugin's entry.
        timeout: Seconds for a call, if the section says nothing; None is no limit.
        connect_timeout: Seconds for a connection to be made; None where it is made at once or not at all.
        calls: Calls at a time; None is the usual number.
        turn: Seconds for a call to get its turn; None is no limit.

    Returns:
        The options.
    """
    attempts = section.reconnect_attempts
    breaker, health, repeat = section.breaker or BreakerConfig(), section.health_check, section.repeat
    if health is None and len(addresses(section)) > 1:
        health = HealthCheckConfig()
    return {
        "timeout": section.timeout if section.timeout is not None else timeout,
        "reconnect_attempts": None if attempts is None else max(attempts, 0),
        "reconnect_delay": None if section.reconnect_delay is None else max(section.reconnect_delay, 0),
        "connect_timeout": connect_timeout,
        "calls": calls,
        "turn": turn,
        "token": None if isinstance(section, UnixSocketClientConfig) else _revealed(section.token),
        "breaker": {
            "failures": breaker.failures,
            "wait": breaker.wait,
            "longest_wait": max(breaker.wait, breaker.longest_wait),
            "successes": breaker.successes,
        },
        "health_check": None
        if health is None
        else {"interval": health.interval, "timeout": health.timeout, "misses": health.misses},
        "repeat": None
        if repeat is None
        else {"retries": repeat.retries, "wait": repeat.wait, "hedge_after": repeat.hedge_after},
    }


def tls_files(tls: MCPClientTLSConfig | GRPCClientTLSConfig) -> TlsFiles:
    """Say what is shown to a server and whom it is believed on the word of.

    Args:
        tls: Certificates and checks.

    Returns:
        The same.
    """
    return {
        "certfile": tls.certfile or None,
        "keyfile": tls.keyfile or None,
        "keyfile_password": tls.keyfile_password or None,
        "ca_bundle": tls.ca_bundle or None,
        "verify": tls.verify,
        "check_hostname": getattr(tls, "check_hostname", True),
    }


def connect_timeout(config: PluginConfig, section: MCPClientConfig | GRPCClientConfig, usual: float = 2.0) -> float:
    """Say how long a connection may take to be made.

    Args:
        config: The plugin's entry.
        section: The section of the entry that says where its server is.
        usual: Seconds, if the section says nothing; so much of a call's time that another server can still be asked.

    Returns:
        Seconds.
    """
    if section.connect_timeout is not None:
        return section.connect_timeout
    of_plugin = None if config.timeout_ms is None else config.timeout_ms / 1000
    halves = (max(limit / 2, _LEAST) for limit in (section.timeout, of_plugin) if limit is not None)
    return min((usual, *halves))


def _revealed(token: SecretStr | None) -> str | None:
    return (token.get_secret_value() or None) if token is not None else None
