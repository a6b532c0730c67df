"""What answers for a plugin that is not there and must not be missing."""

from __future__ import annotations

from typing import Any

from cpex.framework.base import Plugin, PluginRef
from cpex.framework.constants import ISOLATED_VENV_PLUGIN_TYPE
from cpex.framework.models import (
    Config,
    ExecutionReport,
    OnError,
    PluginConfig,
    PluginContext,
    PluginMode,
    PluginPayload,
    PluginResult,
    PluginViolation,
)
from cpex.framework.registry import PluginInstanceRegistry

UNAVAILABLE_CODE = "PLUGIN_UNAVAILABLE"

_BLOCKING_MODES = (PluginMode.SEQUENTIAL, PluginMode.CONCURRENT)

NotLoaded = dict[str, tuple[ExecutionReport, ...]]
"""What every report of a hook says about plugins that are missing from it."""


class UnavailablePlugin(Plugin):
    """Answers the hooks of a plugin that is not loaded, with a denial."""

    def __init__(self, config: PluginConfig) -> None:
        """Stand in for a plugin.

        Args:
            config: The plugin's entry of the configuration. A mode that can't block becomes sequential.
        """
        self.entry = config
        mode = config.mode if config.mode in _BLOCKING_MODES else PluginMode.SEQUENTIAL
        super().__init__(config.model_copy(update={"mode": mode, "on_error": OnError.FAIL}))

    @property
    def workers(self) -> list[Any]:
        """None: the plugin does not run."""
        return []

    @property
    def servers(self) -> list[Any]:
        """None: the plugin is not connected."""
        return []

    async def invoke_hook(self, hook_type: str, payload: PluginPayload, context: PluginContext) -> PluginResult[Any]:
        """Deny.

        Args:
            hook_type: Name of the hook.
            payload: Ignored.
            context: Ignored.

        Returns:
            A denial with code `PLUGIN_UNAVAILABLE`.
        """
        return PluginResult(
            continue_processing=False,
            violation=PluginViolation(
                reason="Plugin unavailable",
                description=f"Plugin '{self.name}' is not loaded and hook '{hook_type}' requires it",
                code=UNAVAILABLE_CODE,
            ),
        )


def guard(config: Config | None, registry: PluginInstanceRegistry) -> NotLoaded:
    """Have the hooks denied whose plugins must not be missing, until these are loaded.

    Args:
        config: The configuration.
        registry: Where the plugins will be registered; gets a stand-in for each of them.

    Returns:
        What the reports of these hooks say.
    """
    not_loaded: NotLoaded = {}
    for entry in (config and config.plugins) or ():
        if must_not_be_missing(entry) and entry.mode != PluginMode.DISABLED:
            stand_in(entry, registry)
            note_missing(not_loaded, entry, registry, "not initialized")
    return not_loaded


def must_not_be_missing(config: PluginConfig) -> bool:
    """Tell whether the hooks of a plugin must not go on without it.

    Args:
        config: The plugin's entry of the configuration.

    Returns:
        True if it is `required`, or its `on_missing` is `deny`.
    """
    return config.required or config.on_missing == "deny"


def fails_its_calls(config: PluginConfig) -> bool:
    """Tell whether calls of a plugin that does not start fail, as they did in CPEX 0.1.4.

    There an isolated plugin starts with its first call (Z5): what is wrong with it is a failure of its calls.

    Args:
        config: The plugin's entry of the configuration.

    Returns:
        True if it is isolated, and whoever calls it has to know of its failures.
    """
    told = config.on_error == OnError.FAIL and config.mode != PluginMode.FIRE_AND_FORGET
    return told and config.kind == ISOLATED_VENV_PLUGIN_TYPE


def stand_in(config: PluginConfig, registry: PluginInstanceRegistry) -> bool:
    """Have the hooks of a plugin denied.

    Args:
        config: The plugin's entry of the configuration.
        registry: Gets the stand-in.

    Returns:
        True if they are; False if the entry names no hook, or a plugin of that name is registered.
    """
    if registry.get_plugin(config.name) is not None:
        return _stand_in_of(config, registry) is not None
    plugin = UnavailablePlugin(config)
    if plugin.hooks:
        registry.register(plugin, trusted_config=plugin.config)
    return bool(plugin.hooks)


def step_aside(name: str, registry: PluginInstanceRegistry) -> None:
    """Remove the stand-in of a plugin, if it has one: the plugin itself is registered next.

    Args:
        name: Name of the plugin.
        registry: Where it stands in.
    """
    registered = registry.get_plugin(name)
    if registered is not None and isinstance(registered.plugin, UnavailablePlugin):
        registry.unregister(name)


def _stand_in_of(config: PluginConfig, registry: PluginInstanceRegistry) -> PluginRef | None:
    registered = registry.get_plugin(config.name)
    if registered is None or not isinstance(registered.plugin, UnavailablePlugin):
        return None
    return registered if registered.plugin.entry is config else None


def note_missing(not_loaded: NotLoaded, config: PluginConfig, registry: PluginInstanceRegistry, why: str) -> None:
    """Have the reports of a plugin's hooks say that it is missing, in place of what they say of its stand-in.

    Args:
        not_loaded: What they say; changed in place.
        config: The plugin's entry of the configuration.
        registry: Where its stand-in is, if it has one.
        why: Why it is missing.
    """
    forget_missing(not_loaded, config)
    standing_in = _stand_in_of(config, registry)
    plugin_id = standing_in.uuid if standing_in else ""
    for hook in config.hooks:
        missing = ExecutionReport(config.name, plugin_id, hook, config.mode.value, "not_loaded", detail=why)
        not_loaded[hook] = (*not_loaded.get(hook, ()), missing)


def forget_missing(not_loaded: NotLoaded, config: PluginConfig) -> None:
    """Have the reports of a plugin's hooks no longer say that it is missing.

    Args:
        not_loaded: What they say; changed in place.
        config: The plugin's entry of the configuration.
    """
    for hook in config.hooks:
        others = tuple(entry for entry in not_loaded.pop(hook, ()) if entry.plugin != config.name)
        if others:
            not_loaded[hook] = others
