"""The ``PLUGINS_*`` variables, read area by area.

Each area has a class of its own, read once and cached: a malformed variable breaks its area only.
``settings`` is what the framework reads; importing this module parses nothing.
"""

import logging
import os
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

    from cpex.framework._settings import (
        PluginsClientMtlsSettings,
        PluginsCliSettings,
        PluginsConfigPathSettings,
        PluginsEnabledSettings,
        PluginsGrpcClientMtlsSettings,
        PluginsGrpcServerSettings,
        PluginsHttpClientSettings,
        PluginsMcpServerSettings,
        PluginsPolicySettings,
        PluginsSettings,
        PluginsSsrfSettings,
        PluginsStartupSettings,
        PluginsTransportSettings,
    )

__all__ = [
    "LazySettingsWrapper",
    "PluginsCliSettings",
    "PluginsClientMtlsSettings",
    "PluginsConfigPathSettings",
    "PluginsEnabledSettings",
    "PluginsGrpcClientMtlsSettings",
    "PluginsGrpcServerSettings",
    "PluginsHttpClientSettings",
    "PluginsMcpServerSettings",
    "PluginsPolicySettings",
    "PluginsSettings",
    "PluginsSsrfSettings",
    "PluginsStartupSettings",
    "PluginsTransportSettings",
    "get_cli_settings",
    "get_client_mtls_settings",
    "get_config_path_settings",
    "get_enabled_settings",
    "get_grpc_client_mtls_settings",
    "get_grpc_server_settings",
    "get_http_client_settings",
    "get_mcp_server_settings",
    "get_policy_settings",
    "get_settings",
    "get_ssrf_settings",
    "get_startup_settings",
    "get_transport_settings",
    "settings",
]

logger = logging.getLogger(__name__)

_Area = TypeVar("_Area", bound="BaseSettings")
_TRUE_VALUES = frozenset({"1", "true", "yes", "on"})

# What every start reads. While nothing is said of it, the defaults are known without the classes, whose import takes
# longer than the start.
_STARTUP = frozenset({"CONFIG_FILE", "PLUGIN_TIMEOUT", "FAIL_ON_PLUGIN_ERROR", "EXECUTION_POOL"})
_EXECUTION_POOL = 10
_POLICY = frozenset({"DEFAULT_HOOK_POLICY"})
_DEFAULT_HOOK_POLICY: Literal["allow"] = "allow"


def __getattr__(name: str) -> Any:
    if not (name.startswith("Plugins") and name in __all__):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("cpex.framework._settings"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _read(area: "type[_Area]") -> "_Area":
    """Reads an area; an error says in a note and in the log which variable is wrong, never what it holds."""
    from pydantic import ValidationError

    try:
        return area()
    except ValidationError as error:
        from cpex.framework.loader._suggest import suggestion

        for detail in error.errors(include_url=False):
            text = f"PLUGINS_{str(detail['loc'][0]).upper()}: {detail['msg']}{suggestion(detail)}"
            error.add_note(text)
            logger.error("%s", text)
        raise


@cache
def get_settings() -> "PluginsSettings":
    """Reads every variable.

    Returns:
        The full settings, cached.
    """
    from cpex.framework._settings import PluginsSettings

    return PluginsSettings()


@cache
def get_enabled_settings() -> "PluginsEnabledSettings":
    """Reads whether plugins run at all.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsEnabledSettings

    return _read(PluginsEnabledSettings)


@cache
def get_startup_settings() -> "PluginsStartupSettings":
    """Reads what the plugin manager needs.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsStartupSettings

    return _read(PluginsStartupSettings)


@cache
def get_config_path_settings() -> "PluginsConfigPathSettings":
    """Reads the configuration file of a plugin server.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsConfigPathSettings

    return _read(PluginsConfigPathSettings)


@cache
def get_policy_settings() -> "PluginsPolicySettings":
    """Reads the default hook policy.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsPolicySettings

    return _read(PluginsPolicySettings)


@cache
def get_ssrf_settings() -> "PluginsSsrfSettings":
    """Reads whether private addresses are refused.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsSsrfSettings

    return _read(PluginsSsrfSettings)


@cache
def get_transport_settings() -> "PluginsTransportSettings":
    """Reads how a plugin server is reached.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsTransportSettings

    return _read(PluginsTransportSettings)


@cache
def get_client_mtls_settings() -> "PluginsClientMtlsSettings":
    """Reads the TLS of MCP clients.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsClientMtlsSettings

    return _read(PluginsClientMtlsSettings)


@cache
def get_mcp_server_settings() -> "PluginsMcpServerSettings":
    """Reads the MCP plugin server's variables.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsMcpServerSettings

    return _read(PluginsMcpServerSettings)


@cache
def get_grpc_client_mtls_settings() -> "PluginsGrpcClientMtlsSettings":
    """Reads the TLS of gRPC clients.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsGrpcClientMtlsSettings

    return _read(PluginsGrpcClientMtlsSettings)


@cache
def get_grpc_server_settings() -> "PluginsGrpcServerSettings":
    """Reads the gRPC plugin server's variables.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsGrpcServerSettings

    return _read(PluginsGrpcServerSettings)


@cache
def get_http_client_settings() -> "PluginsHttpClientSettings":
    """Reads the HTTP client's variables.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsHttpClientSettings

    return _read(PluginsHttpClientSettings)


@cache
def get_cli_settings() -> "PluginsCliSettings":
    """Reads the command line's variables.

    Returns:
        The settings of that area, cached.
    """
    from cpex.framework._settings import PluginsCliSettings

    return _read(PluginsCliSettings)


@cache
def _is_unsaid(variables: frozenset[str]) -> bool:
    """Tells whether no variable, nor a file that may have some, says anything of an area.

    Args:
        variables: The names of the area, without the prefix.

    Returns:
        True if its defaults hold; cached.
    """
    return not os.path.exists(".env") and variables.isdisjoint(
        name.upper().removeprefix("PLUGINS_") for name in os.environ
    )


class LazySettingsWrapper:
    """Reads of the environment only the area that is asked for."""

    @staticmethod
    def cache_clear() -> None:
        """Forgets everything read so far, so that the next access reads the environment again."""
        for reader in (
            get_settings,
            get_enabled_settings,
            get_startup_settings,
            get_config_path_settings,
            get_policy_settings,
            get_ssrf_settings,
            get_transport_settings,
            get_client_mtls_settings,
            get_mcp_server_settings,
            get_grpc_client_mtls_settings,
            get_grpc_server_settings,
            get_http_client_settings,
            get_cli_settings,
            _is_unsaid,
        ):
            reader.cache_clear()

    @staticmethod
    def _parse_bool(value: str) -> bool:
        return value.strip().lower() in _TRUE_VALUES

    @property
    def enabled(self) -> bool:
        """Whether plugins run: ``PLUGINS_ENABLED`` as it is now, else as ``.env`` says."""
        live = os.environ.get("PLUGINS_ENABLED")
        return self._parse_bool(live) if live is not None else get_enabled_settings().enabled

    @property
    def config_file(self) -> str:
        """Path of the plugin configuration."""
        return get_startup_settings().config_file

    @property
    def plugin_timeout(self) -> int:
        """Seconds a plugin may take."""
        return get_startup_settings().plugin_timeout

    @property
    def fail_on_plugin_error(self) -> bool:
        """Whether a plugin that cannot be loaded stops the initialisation."""
        return get_startup_settings().fail_on_plugin_error

    @property
    def execution_pool(self) -> int:
        """How many concurrent plugins run at a time; 0 is no limit."""
        if not get_startup_settings.cache_info().currsize and _is_unsaid(_STARTUP):
            return _EXECUTION_POOL
        return get_startup_settings().execution_pool

    @property
    def config_path(self) -> str | None:
        """Path of a plugin server's configuration."""
        return get_config_path_settings().config_path

    @property
    def default_hook_policy(self) -> Literal["allow", "deny"]:
        """What happens to payload changes on hooks without a policy."""
        if not get_policy_settings.cache_info().currsize and _is_unsaid(_POLICY):
            return _DEFAULT_HOOK_POLICY
        return get_policy_settings().default_hook_policy

    @property
    def ssrf_protection_enabled(self) -> bool:
        """Whether plugin URLs into private networks are refused."""
        return get_ssrf_settings().ssrf_protection_enabled

    @property
    def transport(self) -> str | None:
        """Transport of the MCP plugin server."""
        return get_transport_settings().transport

    @property
    def unix_socket_path(self) -> str | None:
        """Socket path of the Unix socket plugin server."""
        return get_transport_settings().unix_socket_path

    @property
    def cli_completion(self) -> bool:
        """Whether the command line offers shell completion."""
        return get_cli_settings().cli_completion

    @property
    def cli_markup_mode(self) -> Literal["markdown", "rich", "disabled"] | None:
        """Markup of the command line's help."""
        return get_cli_settings().cli_markup_mode

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(get_settings(), name)


settings = LazySettingsWrapper()
