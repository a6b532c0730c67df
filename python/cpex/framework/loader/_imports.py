"""Which modules a plugin kind may name."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType
from typing import Any

from cpex.framework._signature import plugin_error

_BLOCKED = frozenset(
    {
        "builtins",
        "code",
        "codeop",
        "compileall",
        "ctypes",
        "http.server",
        "importlib",
        "os",
        "runpy",
        "shutil",
        "socket",
        "subprocess",
        "sys",
    }
)


@cache
def import_module(module_name: str) -> ModuleType:
    """Import the module that a plugin kind names.

    Args:
        module_name: Dotted name.

    Returns:
        The module; the same one whenever it is asked for again.

    Raises:
        ImportError: If the name is malformed, denied or can't be imported.
        ValueError: If the name is empty.
    """
    if ".." in module_name or "/" in module_name or "\\" in module_name:
        raise ImportError(f"Plugin module name '{module_name}' contains invalid characters.")
    segments = module_name.split(".")
    if any(".".join(segments[:end]) in _BLOCKED for end in range(1, len(segments) + 1)):
        raise ImportError(f"Plugin module '{module_name}' is blocked for security reasons.")
    return importlib.import_module(module_name)


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
