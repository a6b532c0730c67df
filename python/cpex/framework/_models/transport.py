"""How external plugins are reached and how plugin servers listen: TLS, clients, servers."""

import logging
import os
import stat
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from cpex.framework import settings as _settings
from cpex.framework._models.enums import TransportType
from cpex.framework.constants import PYTHON_SUFFIX
from cpex.framework.validators import validate_plugin_url

logger = logging.getLogger("cpex.framework.models")

_SCRIPT_SUFFIXES = (PYTHON_SUFFIX, ".sh")
_CLIENT_AUTH_MODES = ("none", "optional", "require")
_UDS_TLS_ERROR = "TLS configuration is not supported for Unix domain sockets"
_HIJACK_ADVICE = (
    "This may allow unauthorized socket hijacking. "
    "Consider using a directory with restricted permissions (e.g., 0o700)."
)
_RESTRICT_ADVICE = "Consider using a directory with restricted permissions."


def _resolve_uds(uds: str | None, owner: str, advice: str) -> str | None:
    """Makes a socket path absolute and checks the directory it lies in.

    Args:
        uds: The path as configured, or None.
        owner: What the path belongs to, for messages.
        advice: What to tell whoever put the socket into a world-writable directory.

    Returns:
        The absolute path, or None.

    Raises:
        ValueError: If the path is blank or its directory does not exist.
    """
    if uds is None:
        return None
    if not uds.strip():
        raise ValueError(f"{owner} uds must be a non-empty string.")
    path = Path(uds).expanduser().resolve()
    parent = path.parent
    if not parent.is_dir():
        raise ValueError(f"{owner} uds parent directory does not exist: {parent}")
    if parent.stat().st_mode & stat.S_IWOTH:
        logger.warning("%s uds parent directory %s is world-writable. %s", owner, parent, advice)
    return str(path)


def _set_values(values: dict[str, Any]) -> dict[str, Any]:
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


def _refuse_plaintext(variable_prefix: str, needed: tuple[str, ...], tls: BaseModel | None) -> None:
    """Refuses to serve plaintext where TLS was asked for.

    Args:
        variable_prefix: Prefix of the server's variables.
        needed: Variable suffix and TLS field name are the same; those without which TLS cannot start.
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


class MCPTransportTLSConfigBase(BaseModel, defer_build=True):
    """Certificate files common to every TLS client and server."""

    certfile: str | None = Field(default=None)
    keyfile: str | None = Field(default=None)
    ca_bundle: str | None = Field(default=None)
    keyfile_password: str | None = Field(default=None)

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
    check_hostname: bool = Field(default=True)

    @classmethod
    def from_env(cls) -> "MCPClientTLSConfig | None":
        """Reads the ``PLUGINS_CLIENT_MTLS_*`` variables.

        Returns:
            The configuration, or None if none of them is set.
        """
        env = _settings.get_client_mtls_settings()
        values = _set_values(
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

    @classmethod
    def from_env(cls) -> "MCPServerTLSConfig | None":
        """Reads the ``PLUGINS_SERVER_SSL_*`` variables.

        Returns:
            The configuration, or None if none of them is set.
        """
        env = _settings.get_mcp_server_settings()
        values = _set_values(
            {
                "certfile": env.server_ssl_certfile,
                "keyfile": env.server_ssl_keyfile,
                "ca_bundle": env.server_ssl_ca_certs,
                "keyfile_password": env.server_ssl_keyfile_password,
                "ssl_cert_reqs": env.server_ssl_cert_reqs,
            }
        )
        return cls(**values) if values else None


class MCPServerConfig(BaseModel, defer_build=True):
    """Where an MCP plugin server listens."""

    host: str = Field(default="127.0.0.1")
    port: int = Field(default=8000)
    uds: str | None = Field(default=None)
    tls: MCPServerTLSConfig | None = Field(default=None)

    @field_validator("uds")
    @classmethod
    def validate_uds(cls, uds: str | None) -> str | None:
        """Resolves the socket path.

        Args:
            uds: The path as configured.

        Returns:
            The absolute path.
        """
        return _resolve_uds(uds, "MCP server", _HIJACK_ADVICE)

    @model_validator(mode="after")
    def validate_uds_tls(self) -> Self:
        """Checks that TLS is not asked for on a Unix socket.

        Returns:
            Self.

        Raises:
            ValueError: If it is.
        """
        if self.uds and self.tls:
            raise ValueError(f"{_UDS_TLS_ERROR}.")
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
        values = _set_values({"host": env.server_host, "port": env.server_port, "uds": env.server_uds})
        if env.server_ssl_enabled:
            tls = MCPServerTLSConfig.from_env()
            _refuse_plaintext("PLUGINS_SERVER", ("certfile",), tls)
            values["tls"] = tls
        return cls(**values) if values else None


class MCPClientConfig(BaseModel, defer_build=True):
    """How an external plugin is reached over MCP."""

    proto: TransportType
    url: str | None = None
    script: str | None = None
    cmd: list[str] | None = None
    env: dict[str, str] | None = None
    cwd: str | None = None
    uds: str | None = None
    tls: MCPClientTLSConfig | None = None
    reconnect_attempts: int = Field(default=3)
    reconnect_delay: float = Field(default=0.1)

    @field_validator("url")
    @classmethod
    def validate_url(cls, url: str | None) -> str | None:
        """Checks the URL for everything a plugin URL may not contain.

        Args:
            url: The URL as configured.

        Returns:
            The URL, unchanged.
        """
        return validate_plugin_url(url) if url else url

    @field_validator("script")
    @classmethod
    def validate_script(cls, script: str | None) -> str | None:
        """Checks an absolute script path; a relative one is resolved by whoever starts it.

        Args:
            script: The path as configured.

        Returns:
            The path, unchanged.

        Raises:
            ValueError: If it is not a file, or neither executable nor a ``.py`` or ``.sh`` file.
        """
        if not script:
            return script
        path = Path(script).expanduser()
        if not path.is_absolute():
            return script
        if not path.is_file():
            raise ValueError(f"MCP server script {script} does not exist.")
        if path.suffix not in _SCRIPT_SUFFIXES and not os.access(path, os.X_OK):
            raise ValueError(f"MCP server script {script} must be executable.")
        return script

    @field_validator("cmd")
    @classmethod
    def validate_cmd(cls, cmd: list[str] | None) -> list[str] | None:
        """Checks the command line.

        Args:
            cmd: Program and arguments.

        Returns:
            The same list.

        Raises:
            ValueError: If it, or one of its entries, is empty.
        """
        if cmd is None:
            return None
        if not cmd:
            raise ValueError("MCP stdio cmd must be a non-empty list.")
        if not all(entry.strip() for entry in cmd):
            raise ValueError("MCP stdio cmd entries must be non-empty strings.")
        return cmd

    @field_validator("env")
    @classmethod
    def validate_env(cls, env: dict[str, str] | None) -> dict[str, str] | None:
        """Checks the environment overrides.

        Args:
            env: Variables for the started server.

        Returns:
            The same dict.

        Raises:
            ValueError: If it is empty or one of its keys is blank.
        """
        if env is None:
            return None
        if not env:
            raise ValueError("MCP stdio env must be a non-empty dict.")
        if not all(key.strip() for key in env):
            raise ValueError("MCP stdio env keys must be non-empty strings.")
        return env

    @field_validator("cwd")
    @classmethod
    def validate_cwd(cls, cwd: str | None) -> str | None:
        """Resolves the working directory.

        Args:
            cwd: The directory as configured.

        Returns:
            The absolute path.

        Raises:
            ValueError: If it is not a directory.
        """
        if not cwd:
            return cwd
        path = Path(cwd).expanduser().resolve()
        if not path.is_dir():
            raise ValueError(f"MCP stdio cwd {cwd} does not exist or is not a directory.")
        return str(path)

    @field_validator("uds")
    @classmethod
    def validate_uds(cls, uds: str | None) -> str | None:
        """Resolves the socket path.

        Args:
            uds: The path as configured.

        Returns:
            The absolute path.
        """
        return _resolve_uds(uds, "MCP client", _HIJACK_ADVICE)

    @model_validator(mode="after")
    def validate_tls_usage(self) -> Self:
        """Checks that TLS is asked for only where it can be spoken.

        Returns:
            Self.

        Raises:
            ValueError: If the transport has no TLS.
        """
        if self.tls is None:
            return self
        if self.proto not in (TransportType.SSE, TransportType.STREAMABLEHTTP):
            raise ValueError("TLS configuration is only valid for HTTP/SSE transports")
        if self.uds:
            raise ValueError(f"{_UDS_TLS_ERROR}.")
        return self

    @model_validator(mode="after")
    def validate_transport_fields(self) -> Self:
        """Checks that only the fields of the chosen transport are set.

        Returns:
            Self.

        Raises:
            ValueError: If a field belongs to another transport.
        """
        stdio = self.proto is TransportType.STDIO
        if stdio and self.url:
            raise ValueError("URL is only valid for HTTP/SSE transports")
        if not stdio and (self.script or self.cmd or self.env or self.cwd):
            raise ValueError("script/cmd/env/cwd are only valid for STDIO transport")
        if self.uds and self.proto is not TransportType.STREAMABLEHTTP:
            raise ValueError("uds is only valid for STREAMABLEHTTP transport")
        return self


class GRPCClientTLSConfig(MCPTransportTLSConfigBase):
    """TLS of a gRPC client."""

    verify: bool = Field(default=True)

    @classmethod
    def from_env(cls) -> "GRPCClientTLSConfig | None":
        """Reads the ``PLUGINS_GRPC_CLIENT_MTLS_*`` variables.

        Returns:
            The configuration, or None if none of them is set.
        """
        env = _settings.get_grpc_client_mtls_settings()
        values = _set_values(
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
        values = _set_values(
            {
                "certfile": env.grpc_server_ssl_certfile,
                "keyfile": env.grpc_server_ssl_keyfile,
                "ca_bundle": env.grpc_server_ssl_ca_certs,
                "keyfile_password": env.grpc_server_ssl_keyfile_password,
                "client_auth": env.grpc_server_ssl_client_auth,
            }
        )
        return cls(**values) if values else None


class GRPCClientConfig(BaseModel, defer_build=True):
    """How an external plugin is reached over gRPC: by address or by Unix socket."""

    target: str | None = Field(default=None)
    uds: str | None = Field(default=None)
    tls: GRPCClientTLSConfig | None = None

    @field_validator("target")
    @classmethod
    def validate_target(cls, target: str | None) -> str | None:
        """Checks the form of the address.

        Args:
            target: ``host:port``.

        Returns:
            The address, unchanged.

        Raises:
            ValueError: If it is empty or has no port.
        """
        if target is None:
            return None
        if not target:
            raise ValueError("gRPC target address cannot be empty")
        if ":" not in target:
            raise ValueError(f"gRPC target must be in host:port format, got '{target}'")
        return target

    @field_validator("uds")
    @classmethod
    def validate_uds(cls, uds: str | None) -> str | None:
        """Resolves the socket path.

        Args:
            uds: The path as configured.

        Returns:
            The absolute path.
        """
        return _resolve_uds(uds, "gRPC client", _RESTRICT_ADVICE)

    @model_validator(mode="after")
    def validate_target_or_uds(self) -> Self:
        """Checks that there is exactly one way to reach the server.

        Returns:
            Self.

        Raises:
            ValueError: If there is none or two, or TLS on a Unix socket.
        """
        if not self.target and not self.uds:
            raise ValueError("gRPC client must have either 'target' or 'uds' configured")
        if self.target and self.uds:
            raise ValueError("gRPC client cannot have both 'target' and 'uds' configured")
        if self.uds and self.tls:
            raise ValueError(_UDS_TLS_ERROR)
        return self

    def get_target(self) -> str:
        """The address in gRPC's notation.

        Returns:
            ``host:port`` or ``unix://path``.
        """
        return f"unix://{self.uds}" if self.uds else self.target or ""


class GRPCServerConfig(BaseModel, defer_build=True):
    """Where a gRPC plugin server listens."""

    host: str = Field(default="127.0.0.1")
    port: int = Field(default=50051)
    uds: str | None = Field(default=None)
    tls: GRPCServerTLSConfig | None = Field(default=None)

    @field_validator("uds")
    @classmethod
    def validate_uds(cls, uds: str | None) -> str | None:
        """Resolves the socket path.

        Args:
            uds: The path as configured.

        Returns:
            The absolute path.
        """
        return _resolve_uds(uds, "gRPC server", _RESTRICT_ADVICE)

    @model_validator(mode="after")
    def validate_uds_tls(self) -> Self:
        """Checks that TLS is not asked for on a Unix socket.

        Returns:
            Self.

        Raises:
            ValueError: If it is.
        """
        if self.uds and self.tls:
            raise ValueError(_UDS_TLS_ERROR)
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
        values = _set_values({"host": env.grpc_server_host, "port": env.grpc_server_port, "uds": env.grpc_server_uds})
        if env.grpc_server_ssl_enabled:
            tls = GRPCServerTLSConfig.from_env()
            _refuse_plaintext("PLUGINS_GRPC_SERVER", ("certfile", "keyfile"), tls)
            values["tls"] = tls
        return cls(**values) if values else None


class UnixSocketClientConfig(BaseModel, defer_build=True):
    """How an external plugin is reached over a raw Unix socket."""

    path: str = Field()
    reconnect_attempts: int = Field(default=3)
    reconnect_delay: float = Field(default=0.1)
    timeout: float = Field(default=30.0)

    @field_validator("path")
    @classmethod
    def validate_path(cls, path: str) -> str:
        """Checks the form of the socket path.

        Args:
            path: The path as configured.

        Returns:
            The path, unchanged.

        Raises:
            ValueError: If it is empty or relative.
        """
        if not path:
            raise ValueError("Unix socket path cannot be empty")
        if not os.path.isabs(path):
            raise ValueError(f"Unix socket path must be absolute, got '{path}'")
        return path


def _default_socket_path() -> str:
    from tempfile import gettempdir

    return os.path.join(gettempdir(), "mcpgateway-plugins.sock")


class UnixSocketServerConfig(BaseModel, defer_build=True):
    """Where a raw Unix socket plugin server listens."""

    path: str = Field(default_factory=_default_socket_path)

    @classmethod
    def from_env(cls) -> "UnixSocketServerConfig | None":
        """Reads ``UNIX_SOCKET_PATH`` or ``PLUGINS_UNIX_SOCKET_PATH``.

        Returns:
            The configuration, or None if neither is set.
        """
        path = _settings.get_transport_settings().unix_socket_path
        return cls(path=path) if path else None
