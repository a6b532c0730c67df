"""Turning configuration entries into initialized plugins."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cpex.framework._lazy import names_from
from cpex.framework.base import Plugin
from cpex.framework.constants import EXTERNAL_PLUGIN_TYPE as EXTERNAL_PLUGIN_TYPE
from cpex.framework.constants import ISOLATED_VENV_PLUGIN_TYPE
from cpex.framework.loader._special import SPECIAL_KINDS, class_of, special_type
from cpex.framework.models import PluginConfig
from cpex.framework.utils import import_module as import_module
from cpex.framework.utils import parse_class_name as parse_class_name

__all__ = ["ALLOWED_PLUGIN_DIRS", "PluginLoader"]

if not TYPE_CHECKING:
    __getattr__ = names_from(__name__, {"cpex.framework.external.mcp.client": ("ExternalPlugin",)})

logger = logging.getLogger(__name__)

ALLOWED_PLUGIN_DIRS = {"/var/lib/cpex/plugins", "/private/var/lib/cpex/plugins", os.getcwd()}
"""Roots under which `plugin_dirs` are accepted. `PLUGINS_ALLOWED_DIRS` adds more, separated as in `PATH`."""


class PluginLoader:
    """Imports plugin classes, each once, and makes initialized plugins of them."""

    def __init__(self) -> None:
        """Make a loader that has imported nothing."""
        self._plugin_types: dict[str, type[Plugin]] = {}
        self.plugin_dirs: list[str] = []
        self.phase = "import"
        """What the load in progress is doing, or the last one did: `import`, `construct` or `initialize`."""

    def append_to_search_path(self, plugin_dirs: list[str], *, allowed_dirs: Iterable[str] = ()) -> None:
        """Make plugins in some directories importable. One outside the allowed roots is refused, with a warning.

        Args:
            plugin_dirs: The directories.
            allowed_dirs: Roots accepted besides `ALLOWED_PLUGIN_DIRS` and `PLUGINS_ALLOWED_DIRS`.
        """
        if not plugin_dirs:
            return
        roots = allowed_roots(allowed_dirs)
        for plugin_dir in plugin_dirs:
            path = Path(plugin_dir).resolve()
            if not any(path.is_relative_to(root) for root in roots):
                logger.warning(
                    "Plugin directory '%s' is ignored: it is in none of the allowed directories (%s). "
                    "Set PLUGINS_ALLOWED_DIRS, or allowed_dirs under plugin_settings, to allow it",
                    plugin_dir,
                    ", ".join(sorted(map(str, roots))),
                )
                continue
            if str(path) not in sys.path:
                sys.path.append(str(path))
            self.plugin_dirs.append(plugin_dir)

    async def load_and_instantiate_plugin(self, config: PluginConfig) -> Plugin | None:
        """Import, construct and initialize one plugin.

        Args:
            config: Its entry of the configuration; the plugin gets a copy.

        Returns:
            The initialized plugin.

        Raises:
            PluginError: If the kind needs a part of CPEX, or a package, that is not installed.
            Exception: Whatever the import, the constructor or `initialize()` raised.
        """
        self.phase = "import"
        make_plugin: Callable[[PluginConfig], Plugin]
        if config.kind == ISOLATED_VENV_PLUGIN_TYPE:
            make_plugin = partial(special_type(config), plugin_dirs=self.plugin_dirs)
        elif config.kind in SPECIAL_KINDS:
            make_plugin = special_type(config)
        else:
            self.__register_plugin_type(config.kind)
            make_plugin = self._plugin_types[config.kind]
        try:
            self.phase = "construct"
            plugin = make_plugin(config.model_copy())
            self.phase = "initialize"
            await plugin.initialize()
        except (AttributeError, TypeError) as error:
            if not (isinstance(make_plugin, type) and issubclass(make_plugin, Plugin)):
                add_hint(error, no_plugin(config.kind))
            raise
        return plugin

    async def shutdown(self) -> None:
        """Forget the imported classes."""
        self._plugin_types.clear()

    def __register_plugin_type(self, kind: str) -> None:
        """Import a plugin class, unless it was imported before."""
        if kind not in self._plugin_types:
            self._plugin_types[kind] = self.__get_plugin_type(kind)

    def __get_plugin_type(self, kind: str) -> type[Plugin]:
        """Import a plugin class.

        Args:
            kind: `module.Class`.

        Returns:
            The class.

        Raises:
            Exception: Whatever importing raised, after logging it.
        """
        try:
            # The name of this module: tests of applications replace it.
            return cast(type[Plugin], class_of(kind, import_module))
        except Exception as error:
            if "." not in kind:
                add_hint(error, f"a kind is 'module.Class', not '{kind}'")
            logger.exception("Unable to import plugin type '%s'", kind)
            raise


def allowed_roots(allowed_dirs: Iterable[str] = ()) -> list[Path]:
    """List the roots that plugins may lie under.

    Args:
        allowed_dirs: Roots accepted besides `ALLOWED_PLUGIN_DIRS` and `PLUGINS_ALLOWED_DIRS`.

    Returns:
        The roots, resolved.
    """
    from_environment = os.environ.get("PLUGINS_ALLOWED_DIRS", "").split(os.pathsep)
    return [Path(root).resolve() for root in (*ALLOWED_PLUGIN_DIRS, *allowed_dirs, *filter(None, from_environment))]


def no_plugin(kind: str) -> str:
    """Say that a kind is none of a plugin. One that does all that a plugin does is taken for one all the same.

    Args:
        kind: The kind.

    Returns:
        A hint.
    """
    return f"'{kind}' is no class derived from cpex.framework.Plugin"


def add_hint(error: Exception, hint: str) -> None:
    """Add to an error what would be right.

    Args:
        error: The error; changed in place.
        hint: What to add to its text.
    """
    error.args = (f"{error}; {hint}",)
