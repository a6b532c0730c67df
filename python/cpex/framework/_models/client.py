"""How external plugins are reached."""

import os
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, field_validator, model_validator

from cpex.framework._models.enums import TransportType
from cpex.framework._models.sockets import HIJACK_ADVICE, RESTRICT_ADVICE, UDS_TLS_ERROR, resolve_uds
from cpex.framework._models.tls import GRPCClientTLSConfig, MCPClientTLSConfig
from cpex.framework.constants import PYTHON_SUFFIX
from cpex.framework.validators import validate_plugin_url

_SCRIPT_SUFFIXES = (PYTHON_SUFFIX, ".sh")


class MCPClientConfig(BaseModel, defer_build=True):
    """How an external plugin is reached over MCP."""

    proto: TransportType
    """The MCP transport."""
    url: str | None = None
    """Address of the server; with `uds`, the path of the request. Private addresses are refused unless SSRF
    protection is off."""
    script: str | None = None
    """A `.py`, `.sh` or executable file that is started and spoken to over its standard streams."""
    cmd: list[str] | None = None
    """The same as a command with its arguments."""
    env: dict[str, str] | None = None
    """Variables the started server gets beside the inherited ones."""
    cwd: str | None = None
    """Working directory of the started server."""
    uds: str | None = None
    """Unix socket that the HTTP connection goes through."""
    tls: MCPClientTLSConfig | None = None
    """Certificates and checks of an `https` address."""
    reconnect_attempts: int = Field(default=3)
    """How often a lost connection is tried again."""
    reconnect_delay: float = Field(default=0.1)
    """Seconds before the first new try; doubled for each further one."""

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
        return resolve_uds(uds, "MCP client", HIJACK_ADVICE)

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
            raise ValueError(f"{UDS_TLS_ERROR}.")
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


class GRPCClientConfig(BaseModel, defer_build=True):
    """How an external plugin is reached over gRPC: by address or by Unix socket."""

    target: str | None = Field(default=None)
    """Address of the server, `host:port`."""
    uds: str | None = Field(default=None)
    """Unix socket of the server, in place of `target`."""
    tls: GRPCClientTLSConfig | None = None
    """Certificates and checks; absent: plaintext."""

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
        return resolve_uds(uds, "gRPC client", RESTRICT_ADVICE)

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
            raise ValueError(UDS_TLS_ERROR)
        return self

    def get_target(self) -> str:
        """The address in gRPC's notation.

        Returns:
            ``host:port`` or ``unix://path``.
        """
        return f"unix://{self.uds}" if self.uds else self.target or ""


class UnixSocketClientConfig(BaseModel, defer_build=True):
    """How an external plugin is reached over a raw Unix socket."""

    path: str = Field()
    """Absolute path of the server's socket."""
    reconnect_attempts: int = Field(default=3)
    """How often a lost connection is tried again."""
    reconnect_delay: float = Field(default=0.1)
    """Seconds before the first new try; doubled for each further one."""
    timeout: float = Field(default=30.0)
    """Seconds to wait for an answer."""

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
