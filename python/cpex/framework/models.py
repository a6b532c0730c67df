"""The models of the framework: configuration, contexts, results, records, manifests."""

from importlib import import_module
from typing import TYPE_CHECKING, Any
from typing import List as List  # noqa: UP035 - a public name of 0.1.x

from cpex.framework._lazy import names_from
from cpex.framework._models.client import GRPCClientConfig, MCPClientConfig, UnixSocketClientConfig
from cpex.framework._models.config import (
    AppliedTo,
    BaseTemplate,
    Config,
    PluginCondition,
    PluginConfig,
    PromptTemplate,
    ResourceTemplate,
    ToolTemplate,
)
from cpex.framework._models.context import GlobalContext, PluginContext, PluginContextTable, UserContext
from cpex.framework._models.enums import (
    ControlExecutionStatus,
    OnError,
    PluginInstallationType,
    PluginMode,
    TransportType,
)
from cpex.framework._models.result import (
    _ELLIPSIS as _ELLIPSIS,
)
from cpex.framework._models.result import (
    _ELLIPSIS_BYTES as _ELLIPSIS_BYTES,
)
from cpex.framework._models.result import (
    _MAX_CONFIG_KEYS as _MAX_CONFIG_KEYS,
)
from cpex.framework._models.result import (
    _MAX_STRING_LEN as _MAX_STRING_LEN,
)
from cpex.framework._models.result import (
    ControlExecutionRecord,
    ExecutionReport,
    PluginErrorModel,
    PluginPayload,
    PluginResult,
    PluginViolation,
)
from cpex.framework._models.result import (
    _collect_config_keys as _collect_config_keys,
)
from cpex.framework._models.result import (
    _truncate as _truncate,
)
from cpex.framework._models.result import (
    _truncate_opt as _truncate_opt,
)
from cpex.framework._models.server import GRPCServerConfig, MCPServerConfig, UnixSocketServerConfig
from cpex.framework._models.tls import (
    GRPCClientTLSConfig,
    GRPCServerTLSConfig,
    MCPClientTLSConfig,
    MCPServerTLSConfig,
    MCPTransportTLSConfigBase,
)
from cpex.framework.constants import (
    CMD,
    CWD,
    ENV,
    EXTERNAL_PLUGIN_TYPE,
    IGNORE_CONFIG_EXTERNAL,
    PYTHON_SUFFIX,
    SCRIPT,
    UDS,
    URL,
)

if TYPE_CHECKING:
    from cpex.framework._models.catalog import (
        InstalledPluginInfo,
        InstalledPluginRegistry,
        PluginManifest,
        PluginVersionInfo,
        PluginVersionRegistry,
    )
    from cpex.framework._models.sources import GitRepo, Monorepo, PluginPackageInfo, PyPiRepo

__all__ = [
    "CMD",
    "CWD",
    "ENV",
    "EXTERNAL_PLUGIN_TYPE",
    "IGNORE_CONFIG_EXTERNAL",
    "PYTHON_SUFFIX",
    "SCRIPT",
    "UDS",
    "URL",
    "AppliedTo",
    "BaseTemplate",
    "Config",
    "ControlExecutionRecord",
    "ControlExecutionStatus",
    "ExecutionReport",
    "GRPCClientConfig",
    "GRPCClientTLSConfig",
    "GRPCServerConfig",
    "GRPCServerTLSConfig",
    "GitRepo",
    "GlobalContext",
    "InstalledPluginInfo",
    "InstalledPluginRegistry",
    "List",
    "MCPClientConfig",
    "MCPClientTLSConfig",
    "MCPServerConfig",
    "MCPServerTLSConfig",
    "MCPTransportTLSConfigBase",
    "Monorepo",
    "OnError",
    "PluginCondition",
    "PluginConfig",
    "PluginContext",
    "PluginContextTable",
    "PluginErrorModel",
    "PluginInstallationType",
    "PluginManifest",
    "PluginMode",
    "PluginPackageInfo",
    "PluginPayload",
    "PluginResult",
    "PluginVersionInfo",
    "PluginVersionRegistry",
    "PluginViolation",
    "PromptTemplate",
    "PyPiRepo",
    "ResourceTemplate",
    "ToolTemplate",
    "TransportType",
    "UnixSocketClientConfig",
    "UnixSocketServerConfig",
    "UserContext",
]

_LAZY_MODELS = {
    "catalog": (
        "InstalledPluginInfo",
        "InstalledPluginRegistry",
        "PluginManifest",
        "PluginVersionInfo",
        "PluginVersionRegistry",
    ),
    "sources": ("GitRepo", "Monorepo", "PluginPackageInfo", "PyPiRepo"),
}

_name_from_elsewhere = names_from(
    __name__,
    {
        "cpex.framework.extensions.extensions": ("Extensions",),
        "cpex.framework.settings": (
            "get_client_mtls_settings",
            "get_grpc_client_mtls_settings",
            "get_grpc_server_settings",
            "get_mcp_server_settings",
            "get_transport_settings",
        ),
        "cpex.framework.validators": ("validate_plugin_url",),
    },
)


def _adopt(classes: dict[str, Any]) -> None:
    """Makes classes say that they live here: where 0.1.x pickles and reprs place them.

    Args:
        classes: Names and objects; what is not a class of ours is left alone.
    """
    for candidate in classes.values():
        if isinstance(candidate, type) and candidate.__module__.startswith("cpex.framework._models."):
            candidate.__module__ = __name__


_adopt(dict(globals()))


def __getattr__(name: str) -> Any:
    # Only installers need these models, and making them costs import time.
    if not any(name in models for models in _LAZY_MODELS.values()):
        return _name_from_elsewhere(name)
    for module, models in _LAZY_MODELS.items():
        source = import_module(f"cpex.framework._models.{module}")
        found = {model: getattr(source, model) for model in models}
        _adopt(found)
        globals().update(found)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
