"""How external plugins are reached."""

import os
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from cpex.framework._models.enums import TransportType
from cpex.framework._models.sockets import HIJACK_ADVICE, RESTRICT_ADVICE, UDS_TLS_ERROR, resolve_uds
from cpex.framework._models.tls import GRPCClientTLSConfig, MCPClientTLSConfig
from cpex.framework.constants import PYTHON_SUFFIX
from cpex.framework.validators import validate_plugin_url

_SCRIPT_SUFFIXES = (PYTHON_SUFFIX, ".sh")


def _is_unset(value: Any) -> bool:
    return value is None


def _check_times(connect_timeout: float | None, timeout: float | None) -> None:
    if connect_timeout is not None and timeout is not None and connect_timeout > timeout:
        raise ValueError(f"connect_timeout ({connect_timeout} s) is more than timeout ({timeout} s)")


class BreakerConfig(BaseModel, defer_build=True):
    """When a server that keeps failing is left alone, and for how long."""

    failures: int = Field(default=5, ge=1)
    """Failures in a row after which no calls go to the server for a while."""
    wait: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Seconds without calls; then one is tried. Doubled each time that one fails."""
    longest_wait: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """The most seconds without calls."""
    successes: int = Field(default=2, ge=1)
    """Calls in a row that must succeed before all calls go to the server again."""


class HealthCheckConfig(BaseModel, defer_build=True):
    """How servers are watched, so that no call has to find out that one is gone."""

    interval: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """Seconds from one check to the next."""
    timeout: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """Seconds to wait for an answer."""
    misses: int = Field(default=2, ge=1)
    """Checks in a row without an answer after which a server is asked only if no other can be."""


class RepeatConfig(BaseModel, defer_build=True):
    """How calls are repeated of a plugin to which a call that comes twice is as one: it is idempotent."""

    retries: int = Field(default=1, ge=0)
    """How often a call that failed is tried again, on another server if there is one."""
    wait: float = Field(default=0.05, ge=0, allow_inf_nan=False)
    """Seconds before the first of these tries; the next ones wait longer."""
    hedge_after: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds without an answer after which a call goes to another server as well; the first answer counts. Absent: it
    does not."""


class RemoteOptions(BaseModel, defer_build=True):
    """What the transports have in common, beside the fields of CPEX 0.1.x. In dumps only when set."""

    endpoints: list[str] | None = Field(default=None, min_length=1, repr=False, exclude_if=_is_unset)
    """Servers that all have the plugin, written like the address of the transport; the address may be left out beside
    them. A call goes to the one with the fewest calls under way; one that it does not reach is left out."""
    breaker: BreakerConfig | None = Field(default=None, repr=False, exclude_if=_is_unset)
    """When a server that keeps failing is left alone."""
    health_check: HealthCheckConfig | None = Field(default=None, repr=False, exclude_if=_is_unset)
    """How servers are watched; absent: as usual if there are several, and not at all if there is one."""
    repeat: RepeatConfig | None = Field(default=None, repr=False, exclude_if=_is_unset)
    """The plugin is idempotent, and how calls that may have run are repeated; absent: no call is. Always within the
    plugin's timeout."""

    @classmethod
    def _with_address(cls, data: Any, address: str, *alternatives: str) -> Any:
        """Make the first of the servers the address, unless there is one."""
        endpoints = data.get("endpoints") if isinstance(data, dict) else None
        if not isinstance(endpoints, list) or not endpoints or any(data.get(name) for name in (address, *alternatives)):
            return data
        return {**data, address: endpoints[0]}


class MCPClientConfig(RemoteOptions, defer_build=True):
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
    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False, repr=False, exclude_if=_is_unset)
    """Seconds to wait for an answer; absent: `PLUGINS_HTTPX_READ_TIMEOUT`."""
    token: SecretStr | None = Field(default=None, repr=False, exclude_if=_is_unset)
    """Shown to the server with every request. Without TLS it is refused, unless the server is on this machine."""
    connect_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False, repr=False, exclude_if=_is_unset)
    """Seconds for a connection to be made, at most `timeout`; absent: `PLUGINS_HTTPX_CONNECT_TIMEOUT` (2 if it is not
    set), but at most half of `timeout` and of the plugin's own."""

    @model_validator(mode="before")
    @classmethod
    def _take_address(cls, data: Any) -> Any:
        return cls._with_address(data, "url", "script", "cmd")

    @field_validator("endpoints")
    @classmethod
    def _validate_endpoints(cls, endpoints: list[str] | None) -> list[str] | None:
        for at, url in enumerate(endpoints or ()):
            validate_plugin_url(url, f"endpoints[{at}]")
        return endpoints

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
        if stdio and (self.endpoints or self.token or self.connect_timeout):
            raise ValueError("endpoints, token and connect_timeout are only valid for STREAMABLEHTTP transport")
        _check_times(self.connect_timeout, self.timeout)
        if self.uds and self.endpoints and self.endpoints != [self.url]:
            raise ValueError("endpoints: uds is one server, and its url one address")
        return self


class GRPCClientConfig(RemoteOptions, defer_build=True):
    """How an external plugin is reached over gRPC: by address or by Unix socket."""

    target: str | None = Field(default=None)
    """Address of the server, `host:port`."""
    uds: str | None = Field(default=None)
    """Unix socket of the server, in place of `target`."""
    tls: GRPCClientTLSConfig | None = None
    """Certificates and checks; absent: those of `PLUGINS_GRPC_CLIENT_MTLS_*`, else plaintext."""
    reconnect_attempts: int | None = Field(default=None, ge=0, repr=False, exclude_if=_is_unset)
    """How often a lost connection is tried again; absent: 3 times."""
    reconnect_delay: float | None = Field(default=None, ge=0, repr=False, exclude_if=_is_unset)
    """Seconds before the first new try; doubled for each further one; absent: 0.1."""
    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False, repr=False, exclude_if=_is_unset)
    """Seconds to wait for an answer; absent: as long as the plugin may take."""
    token: SecretStr | None = Field(default=None, repr=False, exclude_if=_is_unset)
    """Shown to the server with every call. Without TLS it is refused, unless the server is on this machine."""
    connect_timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False, repr=False, exclude_if=_is_unset)
    """Seconds for a connection to be made, at most `timeout`; absent: 2, but at most half of `timeout` and of the
    plugin's own."""

    @model_validator(mode="before")
    @classmethod
    def _take_address(cls, data: Any) -> Any:
        return cls._with_address(data, "target", "uds")

    @field_validator("endpoints")
    @classmethod
    def _validate_endpoints(cls, endpoints: list[str] | None) -> list[str] | None:
        for target in endpoints or ():
            cls.validate_target(target)
        return endpoints

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
        if self.uds and self.endpoints:
            raise ValueError("gRPC client cannot have both 'uds' and 'endpoints' configured")
        _check_times(self.connect_timeout, self.timeout)
        return self

    def get_target(self) -> str:
        """The address in gRPC's notation.

        Returns:
            ``host:port`` or ``unix://path``.
        """
        return f"unix://{self.uds}" if self.uds else self.target or ""


class UnixSocketClientConfig(RemoteOptions, defer_build=True):
    """How an external plugin is reached over a raw Unix socket."""

    path: str = Field()
    """Absolute path of the server's socket."""
    reconnect_attempts: int = Field(default=3)
    """How often a lost connection is tried again."""
    reconnect_delay: float = Field(default=0.1)
    """Seconds before the first new try; doubled for each further one."""
    timeout: float = Field(default=30.0)
    """Seconds to wait for an answer."""

    @model_validator(mode="before")
    @classmethod
    def _take_address(cls, data: Any) -> Any:
        return cls._with_address(data, "path")

    @field_validator("endpoints")
    @classmethod
    def _validate_endpoints(cls, endpoints: list[str] | None) -> list[str] | None:
        for path in endpoints or ():
            cls.validate_path(path)
        return endpoints

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
