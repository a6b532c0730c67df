"""A manager of plugins that exist already."""

from __future__ import annotations

from collections.abc import Iterable

from cpex.framework.base import Plugin
from cpex.framework.loader.plugin import PluginLoader
from cpex.framework.manager import TenantPluginManager
from cpex.framework.models import Config, PluginConfig

__all__ = ["manager_of"]


class _Instances(PluginLoader):
    """Hands out the instances it was given, initialized, in place of making new ones."""

    def __init__(self, plugins: Iterable[Plugin]) -> None:
        super().__init__()
        self._instances = {plugin.name: plugin for plugin in plugins}

    async def load_and_instantiate_plugin(self, config: PluginConfig) -> Plugin | None:
        self.phase = "initialize"
        plugin = self._instances[config.name]
        await plugin.initialize()
        return plugin


def manager_of(plugins: Iterable[Plugin]) -> TenantPluginManager:
    """Make a manager of some plugins, apart from the process's own.

    Args:
        plugins: The plugins; each counts with the configuration it was made with.

    Returns:
        The manager. Its `initialize()` initializes the plugins, its `shutdown()` shuts them down.

    Raises:
        TypeError: If one is no plugin.
        ValueError: If two have the same name.
    """
    plugins = list(plugins)
    for plugin in plugins:
        if not isinstance(plugin, Plugin):
            raise TypeError(f"plugins: instances of cpex.framework.Plugin are required, not {type(plugin).__name__}")
    names = [plugin.name for plugin in plugins]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"plugins: two are named '{twice}': give each a name of its own")
    # A copy of each configuration: what a plugin does to its own does not change what the manager trusts.
    manager = TenantPluginManager(Config(plugins=[plugin.config.model_copy() for plugin in plugins]))
    manager._loader = _Instances(plugins)
    return manager
