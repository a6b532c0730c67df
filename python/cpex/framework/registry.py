"""The plugins of one manager, and their hooks in the order in which they run."""

from __future__ import annotations

import logging
import threading

from cpex import _core
from cpex.framework.base import ExternalHookRef, HookRef, Plugin, PluginRef
from cpex.framework.decorator import get_hook_metadata
from cpex.framework.hooks import registry as hook_registry
from cpex.framework.models import PluginConfig, PluginMode

__all__ = ["PluginInstanceRegistry"]

logger = logging.getLogger(__name__)


class PluginInstanceRegistry:
    """Registered plugins, by name and by hook.

    A hook's list of references stays the same object until a plugin is registered or unregistered: the engine keeps
    what it compiled from the list for as long.
    """

    def __init__(self) -> None:
        """Make an empty registry."""
        self._plugins: dict[str, PluginRef] = {}
        self._hooks: dict[str, list[HookRef]] = {}
        self._hooks_by_name: dict[str, dict[str, HookRef]] = {}
        self._priority_cache: dict[str, list[HookRef]] = {}
        self._lock = threading.Lock()
        self.has_background = False
        """Whether a plugin was registered that runs in the background."""

    def register(self, plugin: Plugin, trusted_config: PluginConfig | None = None) -> None:
        """Add a plugin with all its hooks, or, if one of them is invalid, nothing.

        Args:
            plugin: The plugin; its `name` and `hooks` count.
            trusted_config: The manager's own configuration of it. Without it the plugin's configuration counts.

        Raises:
            ValueError: If a plugin of that name is registered.
            PluginError: If the plugin can't answer one of its hooks.
        """
        name = plugin.name
        plugin_ref = PluginRef(plugin, trusted_config)
        # The lock is not held while the plugin's own attributes are looked up: they may run its code.
        hook_refs = {} if name in self._plugins else _bind_hooks(plugin_ref)
        with self._lock:
            if name in self._plugins:
                raise ValueError(f"Plugin {name} already registered")
            self._plugins[name] = plugin_ref
            self.has_background = self.has_background or plugin_ref.mode == PluginMode.FIRE_AND_FORGET
            self._hooks_by_name[name] = hook_refs
            for hook, hook_ref in hook_refs.items():
                self._hooks.setdefault(hook, []).append(hook_ref)
            self._invalidate()
        for hook_ref in hook_refs.values():
            _register_declared_types(hook_ref)
        logger.info("Registered plugin: %s with hooks: %s", name, list(hook_refs))

    def unregister(self, plugin_name: str) -> None:
        """Remove a plugin; does nothing if it is unknown. The plugin is not shut down.

        Args:
            plugin_name: Name of the plugin.
        """
        with self._lock:
            plugin_ref = self._plugins.pop(plugin_name, None)
            if plugin_ref is None:
                return
            for hook in self._hooks_by_name.pop(plugin_name, {}):
                remaining = [ref for ref in self._hooks.get(hook, []) if ref.plugin_ref is not plugin_ref]
                if remaining:
                    self._hooks[hook] = remaining
                else:
                    self._hooks.pop(hook, None)
            self._invalidate()
        logger.info("Unregistered plugin: %s", plugin_name)

    def get_plugin(self, name: str) -> PluginRef | None:
        """Look a plugin up.

        Args:
            name: Name of the plugin.

        Returns:
            Its reference, or None.
        """
        return self._plugins.get(name)

    def get_all_plugins(self) -> list[PluginRef]:
        """List the plugins.

        Returns:
            Their references in registration order.
        """
        return list(self._plugins.values())

    def get_plugin_hook_by_name(self, name: str, hook_type: str) -> HookRef | None:
        """Look up one hook of one plugin.

        Args:
            name: Name of the plugin.
            hook_type: Name of the hook.

        Returns:
            The hook reference, or None if the plugin is unknown or does not answer the hook.
        """
        return self._hooks_by_name.get(name, {}).get(hook_type)

    def get_hook_refs_for_hook(self, hook_type: str) -> list[HookRef]:
        """List who answers a hook, by priority and then by registration order.

        Args:
            hook_type: Name of the hook.

        Returns:
            The cached list: not to be modified.
        """
        try:
            return self._priority_cache[hook_type]
        except KeyError:
            with self._lock:
                refs = sorted(self._hooks.get(hook_type, ()), key=lambda ref: ref.plugin_ref.priority)
                return self._priority_cache.setdefault(hook_type, refs)

    def has_hooks_for(self, hook_type: str) -> bool:
        """Tell whether a registered plugin answers a hook, whatever its conditions.

        Args:
            hook_type: Name of the hook.

        Returns:
            True if one does.
        """
        return bool(self._hooks.get(hook_type))

    @property
    def plugin_count(self) -> int:
        """Number of registered plugins."""
        return len(self._plugins)

    async def shutdown(self) -> None:
        """Shut all plugins down, the last registered first, and forget them. Their errors are logged."""
        try:
            for plugin_ref in reversed(self.get_all_plugins()):
                try:
                    await plugin_ref.plugin.shutdown()
                except Exception as error:
                    logger.error("Error shutting down plugin %s: %s", plugin_ref.name, error)
        finally:
            with self._lock:
                self._plugins.clear()
                self._hooks.clear()
                self._hooks_by_name.clear()
                self._invalidate()

    def _invalidate(self) -> None:
        """Drop the ordered lists, and what the engine compiled from them."""
        self._priority_cache.clear()
        _core.touch()


def _bind_hooks(plugin_ref: PluginRef) -> dict[str, HookRef]:
    """Bind every hook of a plugin to the method that answers it; a hook listed twice counts once."""
    plugin = plugin_ref.plugin
    ref_type = ExternalHookRef if callable(getattr(plugin, "invoke_hook", None)) else HookRef
    return {hook: ref_type(hook, plugin_ref) for hook in dict.fromkeys(plugin.hooks)}


def _register_declared_types(hook_ref: HookRef) -> None:
    """Register the types given to `@hook(name, payload, result)`, if the hook is unknown so far."""
    metadata = get_hook_metadata(hook_ref.hook)
    if metadata is None or metadata.payload_type is None or metadata.result_type is None:
        return
    registry = hook_registry.get_hook_registry()
    if metadata.matches(hook_ref.name) and not registry.is_registered(hook_ref.name):
        registry.register_hook(hook_ref.name, metadata.payload_type, metadata.result_type)
