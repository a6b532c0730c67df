"""TLS of clients and servers."""

from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from cpex.framework import settings as _settings

_CLIENT_AUTH_MODES = ("none", "optional", "require")


def set_values(values: dict[str, Any]) -> dict[str, Any]:
    """Keeps what an environment variable really set: a blank one counts as unset.

    Args:
        values: Field values as the settings read them.

    Returns:
        Those that are neither None nor empty, secrets revealed.
    """
    revealed = {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else value
        for name, value in values.items()
    }
    return {name: value for name, value in revealed.items() if value is not None and value != ""}


class MCPTransportTLSConfigBase(BaseModel, defer_build=True):
    """Certificate files common to every TLS client and server."""

    certfile: str | None = Field(default=None)
    """PEM file of our certificate."""
    keyfile: str | None = Field(default=None)
    """PEM file of its private key."""
    ca_bundle: str | None = Field(default=None)
    """PEM file of the authorities the other side's certificate must come from."""
    keyfile_password: str | None = Field(default=None)
    """Password of an encrypted private key."""

    @field_validator("ca_bundle", "certfile", "keyfile")
    @classmethod
    def validate_path(cls, value: str | None) -> str | None:
        """Expands ``~`` and checks that the file is there.

        Args:
            value: The path as configured.

        Returns:
            The expanded path.

        Raises:
            ValueError: If it is not a file.
        """
        if not value:
            return value
        path = Path(value).expanduser()
        if not path.is_file():
            raise ValueError(f"TLS file path does not exist: {value}")
        return str(path)

    @model_validator(mode="after")
    def validate_cert_key(self) -> Self:
        """Checks that a key has its certificate.

        Returns:
            Self.

        Raises:
            ValueError: If only the key is given.
        """
        if self.keyfile and not self.certfile:
            raise ValueError("keyfile requires certfile to be specified")
        return self


class MCPClientTLSConfig(MCPTransportTLSConfigBase):
    """TLS of an MCP client."""

    verify: bool = Field(default=True)
    """Whether the server's certificate is checked."""
    check_hostname: bool = Field(default=True)
    """Whether it must name the host that was asked for."""

    @classmethod
    def from_env(cls) -> "MCPClientTLSConfig | None":
        """Reads the ``PLUGINS_CLIENT_MTLS_*`` variables.

        Returns:
            The configuration, or None if none of them is set.
        """
        env = _settings.get_client_mtls_settings()
        values = set_values(
            {
                "certfile": env.client_mtls_certfile,
                "keyfile": env.client_mtls_keyfile,
                "ca_bundle": env.client_mtls_ca_bundle,
                "keyfile_password": env.client_mtls_keyfile_password,
                "verify": env.client_mtls_verify,
                "check_hostname": env.client_mtls_check_hostname,
            }
        )
        return cls(**values) if values else None


class MCPServerTLSConfig(MCPTransportTLSConfigBase):
    """TLS of an MCP plugin server. ``ssl_cert_reqs``: 0 none, 1 optional, 2 required client certificates."""

    ssl_cert_reqs: int = Field(default=2)
    """Client certificates: 0 not asked for, 1 optional, 2 required."""

    @classmethod
    def from_env(cls) -> "MCPServerTLSConfig | None":
        """Reads the ``PLUGINS_SERVER_SSL_*`` variables.

        Returns:
            The configuration, or None if none of them is set.
        """
        env = _settings.get_mcp_server_settings()
        values = set_values(
            {
                "certfile": env.server_ssl_certfile,
                "keyfile": env.server_ssl_keyfile,
                "ca_bundle": env.server_ssl_ca_certs,
                "keyfile_password": env.server_ssl_keyfile_password,
                "ssl_cert_reqs": env.server_ssl_cert_reqs,
            }
        )
        return cls(**values) if values else None


class GRPCClientTLSConfig(MCPTransportTLSConfigBase):
    """TLS of a gRPC client."""

    verify: bool = Field(default=True)
    """Whether the server's certificate is checked."""

    @classmethod
    def from_env(cls) -> "GRPCClientTLSConfig | None":
        """Reads the ``PLUGINS_GRPC_CLIENT_MTLS_*`` variables.

        Returns:
            The configuration, or None if none of them is set.
        """
        env = _settings.get_grpc_client_mtls_settings()
        values = set_values(
            {
                "certfile": env.grpc_client_mtls_certfile,
                "keyfile": env.grpc_client_mtls_keyfile,
                "ca_bundle": env.grpc_client_mtls_ca_bundle,
                "keyfile_password": env.grpc_client_mtls_keyfile_password,
                "verify": env.grpc_client_mtls_verify,
            }
        )
        return cls(**values) if values else None


class GRPCServerTLSConfig(MCPTransportTLSConfigBase):
    """TLS of a gRPC plugin server. ``client_auth``: none, optional or require."""

    client_auth: str = Field(default="require")
    """Client certificates: `none`, `optional` or `require`."""

    @field_validator("client_auth")
    @classmethod
    def validate_client_auth(cls, value: str) -> str:
        """Normalises the client authentication mode.

        Args:
            value: The mode, in any case.

        Returns:
            The mode in lower case.

        Raises:
            ValueError: If there is no such mode.
        """
        mode = value.lower()
        if mode not in _CLIENT_AUTH_MODES:
            raise ValueError(f"client_auth must be one of {_CLIENT_AUTH_MODES}, got '{value}'")
        return mode

    @classmethod
    def from_env(cls) -> "GRPCServerTLSConfig | None":
        """Reads the ``PLUGINS_GRPC_SERVER_SSL_*`` variables.

        Returns:
            The configuration, or None if none of them is set.
        """
        env = _settings.get_grpc_server_settings()
        values = set_values(
            {
                "certfile": env.grpc_server_ssl_certfile,
                "keyfile": env.grpc_server_ssl_keyfile,
                "ca_bundle": env.grpc_server_ssl_ca_certs,
                "keyfile_password": env.grpc_server_ssl_keyfile_password,
                "client_auth": env.grpc_server_ssl_client_auth,
            }
        )
        return cls(**values) if values else None
