"""What a kind stands for: a class, a built-in plugin, or one that runs elsewhere."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from cpex.framework._signature import plugin_error
from cpex.framework.constants import EXTERNAL_PLUGIN_TYPE, ISOLATED_VENV_PLUGIN_TYPE, WASM_PLUGIN_TYPE
from cpex.framework.utils import import_module, parse_class_name

if TYPE_CHECKING:
    from cpex.framework.models import PluginConfig

logger = logging.getLogger("cpex.framework.loader")

SPECIAL_KINDS: Final = frozenset({EXTERNAL_PLUGIN_TYPE, ISOLATED_VENV_PLUGIN_TYPE, WASM_PLUGIN_TYPE})
"""Kinds of plugins that run elsewhere."""

DIRECTORY: Final = "_directory"
"""Where an entry keeps the directory of its file, beside its fields: relative paths in it begin there."""

FILE: Final = "_file"
"""Where an entry keeps the path of its file."""

_BUILTIN: Final = "builtin"

_WHEELS: Final = {"cpex_wasm": ": install the wheel cpex-wasm of this release"}
"""How packages of ours come. Not by an extra: of a release that an index does not have, pip takes an older one."""

_TRANSPORTS = (
    ("grpc", "cpex.framework.external.grpc.client", "GrpcExternalPlugin"),
    ("unix_socket", "cpex.framework.external.unix.client", "UnixSocketExternalPlugin"),
    ("mcp", "cpex.framework.external.mcp.client", "ExternalPlugin"),
)


class BuiltinConfigError(ValueError):
    """An entry of a built-in plugin, an isolated one, or one in WebAssembly, that its author has to mend."""

    def __init__(self, field: str, problem: str) -> None:
        """Say what is wrong and where.

        Args:
            field: The path of the field in the plugin's entry, such as `config.rules[2].pattern`.
            problem: What is wrong with it, and what would be right. No value of the entry is in it.
        """
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def is_builtin(kind: str) -> bool:
    """Tell whether a kind is that of a built-in plugin.

    Args:
        kind: The kind of an entry.

    Returns:
        True for the kinds there are, whatever the application has, and for every other `builtin.<name>` unless the
        application has a module `builtin` of its own.
    """
    if not kind.startswith(f"{_BUILTIN}."):
        return False
    if kind in _kinds():
        return True
    from importlib.util import find_spec

    return find_spec(_BUILTIN) is None


@cache
def _kinds() -> frozenset[str]:
    from cpex import _core

    return frozenset(_core.Builtin.kinds())


def _warn_of_namesake(kind: str) -> None:
    """Say that a class of the application's own module `builtin` is passed over."""
    from importlib.util import find_spec

    if find_spec(_BUILTIN) is None:
        return
    module_name, class_name = parse_class_name(kind)
    try:
        has_namesake = hasattr(import_module(module_name), class_name)
    except Exception:
        # It is not asked for: that it cannot be imported harms nobody here.
        return
    if has_namesake:
        logger.warning("kind '%s' is the built-in plugin, not the class of the module 'builtin': rename that one", kind)


def class_of(kind: str, import_module: Callable[[str], ModuleType] = import_module) -> Any:
    """Import what makes plugins of a kind.

    Args:
        kind: `module.Class`, or `builtin.<name>`.
        import_module: Imports the module.

    Returns:
        The class.

    Raises:
        Exception: Whatever importing raised.
    """
    if is_builtin(kind):
        from cpex.framework.builtin import BuiltinPlugin

        _warn_of_namesake(kind)
        return BuiltinPlugin
    module_name, class_name = parse_class_name(kind)
    return getattr(import_module(module_name), class_name)


def special_type(config: PluginConfig) -> Any:
    """Import the class that runs a plugin of a special kind.

    Args:
        config: Its entry of the configuration; `kind` is one of `SPECIAL_KINDS`.

    Returns:
        The class.

    Raises:
        PluginError: If a package it needs is not installed.
        ValueError: If an external plugin names no transport.
    """
    if config.kind == ISOLATED_VENV_PLUGIN_TYPE:
        return import_special(
            config.name, f"kind '{config.kind}'", "cpex.framework.isolated.client", "IsolatedVenvPlugin"
        )
    if config.kind == WASM_PLUGIN_TYPE:
        return import_special(config.name, "kind 'wasm'", "cpex.framework.wasm", "WasmPlugin")
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
        PluginError: If a package it needs is not installed.
    """
    try:
        return getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        package = (error.name or str(error)).partition(".")[0]
        reason = f"needs the package '{package}', which is not installed"
        reason += _WHEELS.get(package, "")
        raise plugin_error(f"Plugin '{plugin_name}': {what} {reason}", plugin_name) from error
