"""What a plugin manager shows of itself."""

from __future__ import annotations

from cpex.framework._executor import PluginExecutor
from cpex.framework._loading import LoadFailure
from cpex.framework.base import HookRef, Plugin
from cpex.framework.models import Config, GlobalContext, PluginPayload
from cpex.framework.observability import ObservabilityProvider
from cpex.framework.registry import PluginInstanceRegistry


class ManagerView:
    """Live views of a manager's state."""

    _config: Config | None = None
    _config_path: str | None = None
    _executor: PluginExecutor | None = None
    _initialized: bool = False
    _load_failures: tuple[LoadFailure, ...] = ()
    _registry: PluginInstanceRegistry

    def _get_executor(self) -> PluginExecutor:
        executor = self._executor
        if executor is None:
            executor = self._executor = PluginExecutor(self._config)
        return executor

    @property
    def executor(self) -> PluginExecutor:
        """The executor that runs the hooks."""
        return self._get_executor()

    @executor.setter
    def executor(self, value: PluginExecutor | None) -> None:
        self._executor = value

    @property
    def config(self) -> Config | None:
        """The loaded configuration."""
        return self._config

    @property
    def initialized(self) -> bool:
        """Whether the plugins are loaded."""
        return self._initialized

    @property
    def observability(self) -> ObservabilityProvider | None:
        """Receives the spans."""
        observability: ObservabilityProvider | None = self._get_executor().observability
        return observability

    @observability.setter
    def observability(self, value: ObservabilityProvider | None) -> None:
        self._get_executor().observability = value

    @property
    def plugin_count(self) -> int:
        """Number of registered plugins."""
        return self._registry.plugin_count

    @property
    def load_failures(self) -> list[LoadFailure]:
        """The configured plugins that the last `initialize()` could not load."""
        return list(self._load_failures)

    @property
    def _runtime_disabled(self) -> set[str]:
        """Names of the plugins disabled after an error: a live view."""
        return self._get_executor()._runtime_disabled

    def get_plugin(self, name: str) -> Plugin | None:
        """Look a plugin up.

        Args:
            name: Name of the plugin.

        Returns:
            The plugin, or None.
        """
        plugin_ref = self._registry.get_plugin(name)
        return plugin_ref.plugin if plugin_ref else None

    def has_hooks_for(self, hook_type: str) -> bool:
        """Tell whether a registered plugin answers a hook, whatever its conditions.

        Args:
            hook_type: Name of the hook.

        Returns:
            True if one does.
        """
        return self._registry.has_hooks_for(hook_type)

    def eligible(
        self, hook_type: str, payload: PluginPayload | None, global_context: GlobalContext
    ) -> list[tuple[HookRef, str | None]]:
        """Tell which plugins a hook would run, without running them.

        Args:
            hook_type: Name of the hook.
            payload: The payload the conditions are tried on.
            global_context: The context the conditions are tried on.

        Returns:
            Every hook reference in execution order, with the reason why it would be skipped, or None if it would run.
        """
        hook_refs = self._registry.get_hook_refs_for_hook(hook_type)
        return self._get_executor()._eligible(hook_refs, payload, global_context, hook_type)
