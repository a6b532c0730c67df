"""Where plugin servers listen."""

import os
from typing import Self

from pydantic import BaseModel, Field, field_validator, model_validator

from cpex.framework import settings as _settings
from cpex.framework._models.sockets import HIJACK_ADVICE, RESTRICT_ADVICE, UDS_TLS_ERROR, resolve_uds
from cpex.framework._models.tls import GRPCServerTLSConfig, MCPServerTLSConfig, set_values


def _refuse_plaintext(variable_prefix: str, needed: tuple[str, ...], tls: BaseModel | None) -> None:
    """Refuses to serve plaintext where TLS was asked for.

    Args:
        variable_prefix: Prefix of the server's variables.
        needed: The TLS fields without which TLS cannot start; their variables end in the same names.
        tls: The TLS configuration that the environment gives.

    Raises:
        ValueError: If one of the needed fields is missing.
    """
    missing = [name for name in needed if not getattr(tls, name, None)]
    if missing:
        variables = " and ".join(f"{variable_prefix}_SSL_{name.upper()}" for name in missing)
        raise ValueError(
            f"{variable_prefix}_SSL_ENABLED is true, but there is no usable certificate: "
            f"set {variables}, or unset {variable_prefix}_SSL_ENABLED to serve plaintext"
        )


class MCPServerConfig(BaseModel, defer_build=True):
    """Where an MCP plugin server listens."""

    host: str = Field(default="127.0.0.1")
    """Address to listen on."""
    port: int = Field(default=8000)
    """Port to listen on."""
    uds: str | None = Field(default=None)
    """Unix socket to listen on, in place of a port."""
    tls: MCPServerTLSConfig | None = Field(default=None)
    """The server's certificate, and which clients it trusts."""

    @field_validator("uds")
    @classmethod
    def validate_uds(cls, uds: str | None) -> str | None:
        """Resolves the socket path.

        Args:
            uds: The path as configured.

        Returns:
            The absolute path.
        """
        return resolve_uds(uds, "MCP server", HIJACK_ADVICE)

    @model_validator(mode="after")
    def validate_uds_tls(self) -> Self:
        """Checks that TLS is not asked for on a Unix socket.

        Returns:
            Self.

        Raises:
            ValueError: If it is.
        """
        if self.uds and self.tls:
            raise ValueError(f"{UDS_TLS_ERROR}.")
        return self

    @classmethod
    def from_env(cls) -> "MCPServerConfig | None":
        """Reads the ``PLUGINS_SERVER_*`` variables.

        Returns:
            The configuration, or None if none of them is set.

        Raises:
            ValueError: If TLS is switched on without a certificate.
        """
        env = _settings.get_mcp_server_settings()
        values = set_values({"host": env.server_host, "port": env.server_port, "uds": env.server_uds})
        if env.server_ssl_enabled:
            tls = MCPServerTLSConfig.from_env()
            _refuse_plaintext("PLUGINS_SERVER", ("certfile",), tls)
            values["tls"] = tls
        return cls(**values) if values else None


class GRPCServerConfig(BaseModel, defer_build=True):
    """Where a gRPC plugin server listens."""

    host: str = Field(default="127.0.0.1")
    """Address to listen on."""
    port: int = Field(default=50051)
    """Port to listen on."""
    uds: str | None = Field(default=None)
    """Unix socket to listen on, in place of a port."""
    tls: GRPCServerTLSConfig | None = Field(default=None)
    """The server's certificate, and which clients it trusts."""

    @field_validator("uds")
    @classmethod
    def validate_uds(cls, uds: str | None) -> str | None:
        """Resolves the socket path.

        Args:
            uds: The path as configured.

        Returns:
            The absolute path.
        """
        return resolve_uds(uds, "gRPC server", RESTRICT_ADVICE)

    @model_validator(mode="after")
    def validate_uds_tls(self) -> Self:
        """Checks that TLS is not asked for on a Unix socket.

        Returns:
            Self.

        Raises:
            ValueError: If it is.
        """
        if self.uds and self.tls:
            raise ValueError(UDS_TLS_ERROR)
        return self

    def get_bind_address(self) -> str:
        """The address in gRPC's notation.

        Returns:
            ``host:port`` or ``unix://path``.
        """
        return f"unix://{self.uds}" if self.uds else f"{self.host}:{self.port}"

    @classmethod
    def from_env(cls) -> "GRPCServerConfig | None":
        """Reads the ``PLUGINS_GRPC_SERVER_*`` variables.

        Returns:
            The configuration, or None if none of them is set.

        Raises:
            ValueError: If TLS is switched on without certificate and key.
        """
        env = _settings.get_grpc_server_settings()
        values = set_values({"host": env.grpc_server_host, "port": env.grpc_server_port, "uds": env.grpc_server_uds})
        if env.grpc_server_ssl_enabled:
            tls = GRPCServerTLSConfig.from_env()
            _refuse_plaintext("PLUGINS_GRPC_SERVER", ("certfile", "keyfile"), tls)
            values["tls"] = tls
        return cls(**values) if values else None


def _default_socket_path() -> str:
    from tempfile import gettempdir

    return os.path.join(gettempdir(), "mcpgateway-plugins.sock")


class UnixSocketServerConfig(BaseModel, defer_build=True):
    """Where a raw Unix socket plugin server listens."""

    path: str = Field(default_factory=_default_socket_path)
    """Path of the socket."""

    @classmethod
    def from_env(cls) -> "UnixSocketServerConfig | None":
        """Reads ``UNIX_SOCKET_PATH`` or ``PLUGINS_UNIX_SOCKET_PATH``.

        Returns:
            The configuration, or None if neither is set.
        """
        path = _settings.get_transport_settings().unix_socket_path
        return cls(path=path) if path else None
