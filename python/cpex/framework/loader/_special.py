"""Kinds of plugins that are not a class path."""

from __future__ import annotations

import importlib
from typing import Any

from cpex.framework._signature import plugin_error


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
        if package == "cpex":
            reason = "is not part of this release, a later one brings it; a kind 'module.Class' runs in-process today"
        else:
            reason = f"needs the package '{package}', which is not installed"
        raise plugin_error(f"Plugin '{plugin_name}': {what} {reason}", plugin_name) from error
