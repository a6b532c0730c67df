"""The settings classes. Kept apart because ``pydantic_settings`` is slow to import: see ``settings``."""

from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_CONFIG = SettingsConfigDict(
    env_prefix="PLUGINS_", env_file=".env", env_file_encoding="utf-8", extra="ignore", defer_build=True
)


def _empty_string_to_none(value: Any) -> Any:
    """Reads a blank variable as an unset one.

    Args:
        value: What the environment gave.

    Returns:
        None for a blank string, else the value.
    """
    return None if isinstance(value, str) and not value.strip() else value


class PluginsEnabledSettings(BaseSettings):
    """Whether plugins run at all."""

    model_config = _CONFIG

    enabled: bool = False


class PluginsStartupSettings(BaseSettings):
    """What the plugin manager reads when it is made."""

    model_config = _CONFIG

    config_file: str = "plugins/config.yaml"
    plugin_timeout: int = 30
    fail_on_plugin_error: bool = False
    execution_pool: int = Field(default=10, ge=0)


class PluginsConfigPathSettings(BaseSettings):
    """The configuration file of a plugin server."""

    model_config = _CONFIG

    config_path: str | None = None


class PluginsPolicySettings(BaseSettings):
    """What happens to payload changes on hooks without a policy."""

    model_config = _CONFIG

    default_hook_policy: Literal["allow", "deny"] = "allow"


class PluginsSsrfSettings(BaseSettings):
    """Whether plugin URLs may point into private networks."""

    model_config = _CONFIG

    ssrf_protection_enabled: bool = True
    ssrf_check_addresses: bool = False


class PluginsTransportSettings(BaseSettings):
    """How a plugin server is reached."""

    model_config = _CONFIG

    transport: str | None = None
    unix_socket_path: str | None = Field(
        default=None, validation_alias=AliasChoices("UNIX_SOCKET_PATH", "PLUGINS_UNIX_SOCKET_PATH")
    )


class PluginsCliSettings(BaseSettings):
    """The command line's looks."""

    model_config = _CONFIG

    cli_completion: bool = False
    cli_markup_mode: Literal["markdown", "rich", "disabled"] | None = None


class PluginsHttpClientSettings(BaseSettings):
    """The HTTP client of MCP plugins."""

    model_config = _CONFIG

    skip_ssl_verify: bool = False
    httpx_max_connections: int = Field(default=200, ge=1)
    httpx_max_keepalive_connections: int = Field(default=100, ge=0)
    httpx_keepalive_expiry: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    httpx_connect_timeout: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    httpx_read_timeout: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    httpx_write_timeout: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    httpx_pool_timeout: float = Field(default=10.0, gt=0, allow_inf_nan=False)


class PluginsClientMtlsSettings(BaseSettings):
    """TLS of MCP clients."""

    model_config = _CONFIG

    client_mtls_certfile: str | None = None
    client_mtls_keyfile: str | None = None
    client_mtls_ca_bundle: str | None = None
    client_mtls_keyfile_password: SecretStr | None = None
    client_mtls_verify: bool | None = None
    client_mtls_check_hostname: bool | None = None

    @field_validator("client_mtls_verify", "client_mtls_check_hostname", mode="before")
    @classmethod
    def empty_string_to_none(cls, value: Any) -> Any:
        """Reads a blank variable as an unset one.

        Args:
            value: What the environment gave.

        Returns:
            None for a blank string, else the value.
        """
        return _empty_string_to_none(value)


class PluginsMcpServerSettings(BaseSettings):
    """The MCP plugin server."""

    model_config = _CONFIG

    server_ssl_keyfile: str | None = None
    server_ssl_certfile: str | None = None
    server_ssl_ca_certs: str | None = None
    server_ssl_keyfile_password: SecretStr | None = None
    server_ssl_cert_reqs: int | None = None
    server_host: str | None = None
    server_port: int | None = None
    server_uds: str | None = None
    server_ssl_enabled: bool | None = None

    @field_validator("server_ssl_cert_reqs", "server_port", "server_ssl_enabled", mode="before")
    @classmethod
    def empty_string_to_none(cls, value: Any) -> Any:
        """Reads a blank variable as an unset one.

        Args:
            value: What the environment gave.

        Returns:
            None for a blank string, else the value.
        """
        return _empty_string_to_none(value)


class PluginsGrpcClientMtlsSettings(BaseSettings):
    """TLS of gRPC clients."""

    model_config = _CONFIG

    grpc_client_mtls_certfile: str | None = None
    grpc_client_mtls_keyfile: str | None = None
    grpc_client_mtls_ca_bundle: str | None = None
    grpc_client_mtls_keyfile_password: SecretStr | None = None
    grpc_client_mtls_verify: bool | None = None

    @field_validator("grpc_client_mtls_verify", mode="before")
    @classmethod
    def empty_string_to_none(cls, value: Any) -> Any:
        """Reads a blank variable as an unset one.

        Args:
            value: What the environment gave.

        Returns:
            None for a blank string, else the value.
        """
        return _empty_string_to_none(value)


class PluginsGrpcServerSettings(BaseSettings):
    """The gRPC plugin server."""

    model_config = _CONFIG

    grpc_server_ssl_keyfile: str | None = None
    grpc_server_ssl_certfile: str | None = None
    grpc_server_ssl_ca_certs: str | None = None
    grpc_server_ssl_keyfile_password: SecretStr | None = None
    grpc_server_ssl_client_auth: str | None = None
    grpc_server_host: str | None = None
    grpc_server_port: int | None = None
    grpc_server_uds: str | None = None
    grpc_server_ssl_enabled: bool | None = None

    @field_validator("grpc_server_port", "grpc_server_ssl_enabled", mode="before")
    @classmethod
    def empty_string_to_none(cls, value: Any) -> Any:
        """Reads a blank variable as an unset one.

        Args:
            value: What the environment gave.

        Returns:
            None for a blank string, else the value.
        """
        return _empty_string_to_none(value)


class PluginsSettings(BaseSettings):
    """Every variable at once. One malformed variable makes it unusable: prefer the area's own class."""

    model_config = _CONFIG

    enabled: bool = False
    """Whether `get_plugin_manager()` gives a manager."""
    default_hook_policy: Literal["allow", "deny"] = "allow"
    """Whether hooks without a policy take changes of the payload."""
    config_file: str = "plugins/config.yaml"
    """Configuration file of the host."""
    log_level: str = "INFO"
    """Log level of the plugin servers."""
    skip_ssl_verify: bool = False
    """Whether MCP clients without a `tls` section skip the check of certificates."""
    ssrf_protection_enabled: bool = True
    """Whether URLs of plugins may not point to private addresses."""
    ssrf_check_addresses: bool = False
    """Whether host names in them may not stand for such addresses either; looked up at each connection."""
    plugin_timeout: int = 30
    """Seconds a plugin may take, for the manager of `get_plugin_manager()`."""
    fail_on_plugin_error: bool = False
    """Whether a plugin that cannot be loaded makes `initialize()` fail."""
    execution_pool: int = Field(default=10, ge=0)
    """How many concurrent plugins, and how many background plugins, of one call run at a time; 0 for any number."""
    httpx_max_connections: int = Field(default=200, ge=1)
    """Connections of an MCP client."""
    httpx_max_keepalive_connections: int = Field(default=100, ge=0)
    """Idle connections it keeps."""
    httpx_keepalive_expiry: float = Field(default=30.0, ge=0, allow_inf_nan=False)
    """Seconds an idle connection is kept."""
    httpx_connect_timeout: float = Field(default=5.0, gt=0, allow_inf_nan=False)
    """Seconds to connect; while it is not set, external plugins take 2 at most."""
    httpx_read_timeout: float = Field(default=120.0, gt=0, allow_inf_nan=False)
    """Seconds to wait for data."""
    httpx_write_timeout: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    """Seconds to send data."""
    httpx_pool_timeout: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Seconds to wait for a free connection."""
    cli_completion: bool = False
    """Whether `cpex` offers to install shell completion."""
    cli_markup_mode: Literal["markdown", "rich", "disabled"] | None = None
    """How `cpex` renders its help."""
    client_mtls_certfile: str | None = None
    """Certificate of MCP clients without a `tls` section."""
    client_mtls_keyfile: str | None = None
    """Its private key."""
    client_mtls_ca_bundle: str | None = None
    """Authorities their servers' certificates must come from."""
    client_mtls_keyfile_password: SecretStr | None = None
    """Password of the private key."""
    client_mtls_verify: bool | None = None
    """Whether servers' certificates are checked."""
    client_mtls_check_hostname: bool | None = None
    """Whether these must name the host."""
    server_ssl_keyfile: str | None = None
    """Private key of the MCP server."""
    server_ssl_certfile: str | None = None
    """Certificate of the MCP server."""
    server_ssl_ca_certs: str | None = None
    """Authorities its clients' certificates must come from."""
    server_ssl_keyfile_password: SecretStr | None = None
    """Password of the private key."""
    server_ssl_cert_reqs: int | None = None
    """Client certificates: 0 not asked for, 1 optional, 2 required."""
    server_host: str | None = None
    """Address the MCP server listens on, without `server_settings` in its file."""
    server_port: int | None = None
    """Port of the MCP server."""
    server_uds: str | None = None
    """Unix socket of the MCP server."""
    server_ssl_enabled: bool | None = None
    """Whether the MCP server speaks TLS."""
    config_path: str | None = None
    """Configuration file of a plugin server."""
    transport: str | None = None
    """`stdio` or `http`, for the MCP server."""
    grpc_client_mtls_certfile: str | None = None
    """Certificate of gRPC clients without a `tls` section."""
    grpc_client_mtls_keyfile: str | None = None
    """Its private key."""
    grpc_client_mtls_ca_bundle: str | None = None
    """Authorities their servers' certificates must come from."""
    grpc_client_mtls_keyfile_password: SecretStr | None = None
    """Password of the private key."""
    grpc_client_mtls_verify: bool | None = None
    """Whether servers' certificates are checked."""
    grpc_server_ssl_keyfile: str | None = None
    """Private key of the gRPC server."""
    grpc_server_ssl_certfile: str | None = None
    """Certificate of the gRPC server."""
    grpc_server_ssl_ca_certs: str | None = None
    """Authorities its clients' certificates must come from."""
    grpc_server_ssl_keyfile_password: SecretStr | None = None
    """Password of the private key."""
    grpc_server_ssl_client_auth: str | None = None
    """Client certificates: `none`, `optional` or `require`."""
    grpc_server_host: str | None = None
    """Address the gRPC server listens on, without `grpc_server_settings` in its file."""
    grpc_server_port: int | None = None
    """Port of the gRPC server."""
    grpc_server_uds: str | None = None
    """Unix socket of the gRPC server."""
    grpc_server_ssl_enabled: bool | None = None
    """Whether the gRPC server speaks TLS."""
    unix_socket_path: str | None = Field(
        default=None, validation_alias=AliasChoices("PLUGINS_UNIX_SOCKET_PATH", "UNIX_SOCKET_PATH")
    )
    """Socket of the Unix plugin server."""

    @field_validator(
        "client_mtls_verify",
        "client_mtls_check_hostname",
        "server_ssl_cert_reqs",
        "server_port",
        "server_ssl_enabled",
        "grpc_client_mtls_verify",
        "grpc_server_port",
        "grpc_server_ssl_enabled",
        mode="before",
    )
    @classmethod
    def empty_string_to_none(cls, value: Any) -> Any:
        """Reads a blank variable as an unset one.

        Args:
            value: What the environment gave.

        Returns:
            None for a blank string, else the value.
        """
        return _empty_string_to_none(value)


for _candidate in list(globals().values()):
    if isinstance(_candidate, type) and _candidate.__module__ == __name__:
        _candidate.__module__ = "cpex.framework.settings"
