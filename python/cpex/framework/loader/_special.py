"""Kinds of plugins that are not a class path."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from cpex.framework._signature import plugin_error
from cpex.framework.constants import EXTERNAL_PLUGIN_TYPE, ISOLATED_VENV_PLUGIN_TYPE

if TYPE_CHECKING:
    from cpex.framework.models import PluginConfig

SPECIAL_KINDS: Final = frozenset({EXTERNAL_PLUGIN_TYPE, ISOLATED_VENV_PLUGIN_TYPE})
"""Kinds of plugins that run elsewhere."""

NOT_IN_THIS_RELEASE: Final = (
    "is not part of this release, a later one brings it; a kind 'module.Class' runs in-process today"
)

_TRANSPORTS = (
    ("grpc", "cpex.framework.external.grpc.client", "GrpcExternalPlugin"),
    ("unix_socket", "cpex.framework.external.unix.client", "UnixSocketExternalPlugin"),
    ("mcp", "cpex.framework.external.mcp.client", "ExternalPlugin"),
)


def special_type(config: PluginConfig) -> Any:
    """Import the class that runs a plugin of a special kind.

    Args:
        config: Its entry of the configuration; `kind` is one of `SPECIAL_KINDS`.

    Returns:
        The class.

    Raises:
        PluginError: If this release does not contain it, or a package it needs is not installed.
        ValueError: If an external plugin names no transport.
    """
    if config.kind == ISOLATED_VENV_PLUGIN_TYPE:
        return import_special(
            config.name, f"kind '{config.kind}'", "cpex.framework.isolated.client", "IsolatedVenvPlugin"
        )
    for transport, module_name, class_name in _TRANSPORTS:
        if getattr(config, transport):
            return import_special(config.name, f"external transport '{transport}'", module_name, class_name)
    raise ValueError(f"External plugin '{config.name}' must have 'mcp', 'grpc', or 'unix_socket' configuration")


def import_special(plugin_name: str, what: str, module_name: str, class_name: str) -> Any:
    """Import the class that runs plugins of a special kind.

    Args:
        plugin_name: Name of the plugin that needs it, for the message.
        what: The kind or transport asked for, for the message.
        module_name: Module of the class.
        class_name: Name of the class.

    Returns:
        The class.

    Raises:
        PluginError: If this release does not contain it, or a package it needs is not installed.
    """
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        package = (error.name or str(error)).partition(".")[0]
        missing = f"needs the package '{package}', which is not installed"
        reason = NOT_IN_THIS_RELEASE if package == "cpex" else missing
        raise plugin_error(f"Plugin '{plugin_name}': {what} {reason}", plugin_name) from error
