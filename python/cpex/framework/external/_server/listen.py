"""Where a plugin server listens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from cpex.framework.models import (
        GRPCServerConfig,
        GRPCServerTLSConfig,
        MCPServerConfig,
        MCPServerTLSConfig,
        UnixSocketServerConfig,
    )

__all__ = ["Listen", "ServeOptions", "Tls", "over_grpc", "over_http", "over_unix", "placed", "status_beside"]

STATUS_PORT_DISTANCE = 1000
"""A server with TLS says how it is without TLS, on its own port plus this."""

LAST_PORT = 65535
"""Of TCP."""

_CLIENT_AUTH: tuple[Literal["none", "optional", "require"], ...] = ("none", "optional", "require")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """A server's certificate, and whether clients must have one.

    Attributes:
        certfile: PEM file of the certificate.
        keyfile: PEM file of its key; None if it is in `certfile`.
        keyfile_password: Opens an encrypted key.
        ca_bundle: PEM file of the authorities that sign clients' certificates.
        client_auth: Whether clients are asked for a certificate.
    """

    certfile: str
    keyfile: str | None = None
    keyfile_password: str | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    client_auth: Literal["none", "optional", "require"] = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """One place where a server listens.

    Attributes:
        transport: `mcp` (over HTTP), `grpc`, `unix`, `stdio` (MCP), or `status`: health and metrics over HTTP.
        host: Address to listen on.
        port: Port to listen on; 0 is any that is free.
        uds: Unix socket in place of host and port.
        tls: The certificate; None for plaintext.
        insecure: Whether plaintext is allowed where other machines reach it.
        token: Asked of every peer, as `Authorization: Bearer …`.
        allowed_hosts: Names by which the server may be called; empty for this machine's own, or any if others reach it.
        allowed_origins: Web pages that may ask, likewise.
        allowed_clients: Names of which a client's certificate must have one, as `dns:gateway.internal`; empty for any.
        sessions: Whether an MCP server remembers its peers; without, replicas can share the requests.
        max_connections: Connections at a time.
        max_calls: Calls at a time.
        max_message: Bytes of one message, either way.
        grace: Seconds that calls under way have when the server stops.
    """

    transport: Literal["mcp", "grpc", "unix", "stdio", "status"]
    host: str = "127.0.0.1"
    port: int = 0
    uds: str | None = None
    tls: Tls | None = None
    insecure: bool = False
    token: str | None = field(default=None, repr=False)
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    allowed_clients: tuple[str, ...] = ()
    sessions: bool = True
    max_connections: int = 1024
    max_calls: int = 256
    max_message: int = 16 * 1024 * 1024
    grace: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= LAST_PORT:
            raise ValueError(f"port: a number from 0 to {LAST_PORT} is required, not {self.port}")


class ServeOptions(TypedDict, total=False):
    """How to serve, where the defaults are not right.

    `uds` is a Unix socket to listen on in place of host and port. `tls` is the certificate. `insecure` allows to serve
    without one where other machines reach the server. Every peer over HTTP or gRPC has to show the `token`, as
    `Authorization: Bearer …`. Calls under way have `grace` seconds (5) when the server stops.
    """

    uds: str | None
    tls: Tls | None
    insecure: bool
    token: str | None
    grace: float


def placed(listens: Iterable[Listen], host: str | None, port: int | None, options: ServeOptions) -> list[Listen]:
    """Change where servers listen, and how.

    Args:
        listens: Where they listen by themselves.
        host: Address to listen on, for those over TCP; None for their own.
        port: Port to listen on, if only one is over TCP; None for its own.
        options: The rest.

    Returns:
        Where they listen now.

    Raises:
        ValueError: If one port or one socket is to serve several of them, or none of them can ask for a token or
            speak TLS as it is told to.
    """
    places = list(listens)
    uds = options.get("uds")
    for name, wanted, transports in (("port", port, ("mcp", "grpc")), ("uds", uds, ("mcp", "grpc", "unix"))):
        takers = [place for place in places if place.transport in transports]
        if wanted is not None and len(takers) != 1:
            raise ValueError(f"{name}: it is for one transport, not {len(takers)}: give each an address of its own")
    if not any(place.transport in ("mcp", "grpc") for place in places):
        if options.get("token"):
            raise ValueError("token: a Unix socket and a started server ask for none: they are their owner's only")
        if options.get("tls"):
            raise ValueError("tls: it is spoken over TCP alone")
    return [_placed(place, host, port, uds, options) for place in places]


def _placed(place: Listen, host: str | None, port: int | None, uds: str | None, options: ServeOptions) -> Listen:
    tcp = place.transport in ("mcp", "grpc")
    if uds is not None and place.transport != "stdio":
        place = replace(place, uds=uds)
    elif tcp and (host is not None or port is not None):
        place = replace(place, host=host or place.host, port=place.port if port is None else port, uds=None)
    if tcp:
        tls = options.get("tls") or place.tls
        place = replace(place, tls=tls, insecure=options.get("insecure", False), token=options.get("token"))
    return replace(place, grace=options.get("grace", place.grace))


def over_http(config: MCPServerConfig) -> Listen:
    """Read where an MCP server listens.

    Args:
        config: Its section of the configuration.

    Returns:
        The place.

    Raises:
        ValueError: If TLS is asked for without a certificate.
    """
    tls = _http_tls(config.tls) if config.tls is not None else None
    return Listen(transport="mcp", host=config.host, port=config.port, uds=config.uds, tls=tls)


def over_grpc(config: GRPCServerConfig) -> Listen:
    """Read where a gRPC server listens.

    Args:
        config: Its section of the configuration.

    Returns:
        The place.

    Raises:
        ValueError: If TLS is asked for without certificate and key.
    """
    tls = _grpc_tls(config.tls) if config.tls is not None else None
    return Listen(transport="grpc", host=config.host, port=config.port, uds=config.uds, tls=tls)


def over_unix(config: UnixSocketServerConfig) -> Listen:
    """Read where a Unix socket server listens.

    Args:
        config: Its section of the configuration.

    Returns:
        The place.
    """
    return Listen(transport="unix", uds=config.path)


def status_beside(listen: Listen) -> Listen | None:
    """Tell where an MCP server with TLS says how it is to those without a certificate.

    Args:
        listen: Where the server listens.

    Returns:
        The place; None if the server itself says it.

    Raises:
        ValueError: If there is no such port.
    """
    if listen.transport != "mcp" or listen.tls is None or listen.port == 0:
        return None
    if listen.port > LAST_PORT - STATUS_PORT_DISTANCE:
        raise ValueError(
            f"port: with TLS, health and metrics are at the port plus {STATUS_PORT_DISTANCE}, which is none for "
            f"{listen.port}: choose one up to {LAST_PORT - STATUS_PORT_DISTANCE}"
        )
    return replace(
        listen,
        transport="status",
        port=listen.port + STATUS_PORT_DISTANCE,
        tls=None,
        insecure=True,
        token=None,
        allowed_clients=(),
    )


def _http_tls(config: MCPServerTLSConfig) -> Tls:
    if config.certfile is None:
        raise ValueError(
            "server_settings.tls: there is no certificate to serve TLS with: set certfile, or leave tls out"
        )
    if config.ssl_cert_reqs not in range(len(_CLIENT_AUTH)):
        raise ValueError(f"server_settings.tls.ssl_cert_reqs: 0, 1 or 2 is required, not {config.ssl_cert_reqs}")
    return Tls(
        certfile=config.certfile,
        keyfile=config.keyfile,
        keyfile_password=config.keyfile_password,
        ca_bundle=config.ca_bundle,
        client_auth=_CLIENT_AUTH[config.ssl_cert_reqs],
    )


def _grpc_tls(config: GRPCServerTLSConfig) -> Tls:
    if config.certfile is None or config.keyfile is None:
        raise ValueError("Server certificate (certfile) and private key (keyfile) are required for gRPC TLS")
    return Tls(
        certfile=config.certfile,
        keyfile=config.keyfile,
        keyfile_password=config.keyfile_password,
        ca_bundle=config.ca_bundle,
        client_auth=next(mode for mode in _CLIENT_AUTH if mode == config.client_auth),
    )
