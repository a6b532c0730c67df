"""Loading the configured plugins, and what becomes of those that can't be loaded."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from cpex.framework._masking import MASK, without_secrets
from cpex.framework._switches import allowed_dirs
from cpex.framework._unavailable import (
    NotLoaded,
    UnavailablePlugin,
    fails_its_calls,
    forget_missing,
    guard,
    must_not_be_missing,
    note_missing,
    stand_in,
    step_aside,
)
from cpex.framework.base import Plugin
from cpex.framework.constants import EXTERNAL_PLUGIN_TYPE
from cpex.framework.errors import PluginError
from cpex.framework.loader._special import BuiltinConfigError, is_builtin
from cpex.framework.loader.config import place_of
from cpex.framework.loader.plugin import PluginLoader, add_hint, no_plugin
from cpex.framework.models import Config, PluginConfig, PluginMode
from cpex.framework.registry import PluginInstanceRegistry

__all__ = ["LoadFailure", "PluginLoading", "UnavailablePlugin", "failure_details", "failure_text"]

_VALIDATION_INPUT = re.compile(r"input_value=.*?(?=, input_type=)", re.DOTALL)


class LoadFailure(NamedTuple):
    """A configured plugin that is not running.

    `phase` is `import`, `construct`, `initialize` or `register`; `error` names no secret of the plugin's configuration;
    `where` is the file, line and column of its entry, None if it was not read from a file. `details` is what a
    `PluginError` has as details, also without secrets: of an environment that could not be built they are the step, the
    command, and what it wrote.
    """

    name: str
    kind: str
    phase: str
    error: str
    where: str | None = None
    details: Mapping[str, Any] | None = None


class PluginLoading:
    """One pass over a configuration."""

    def __init__(
        self,
        loader: PluginLoader,
        registry: PluginInstanceRegistry,
        logger: logging.Logger,
        fail_on_plugin_error: Callable[[], bool],
    ) -> None:
        """Prepare a pass.

        Args:
            loader: Makes the plugins.
            registry: Receives them.
            logger: Where progress and failures are logged.
            fail_on_plugin_error: Asked at each failure whether it ends the pass.
        """
        self.failures: list[LoadFailure] = []
        self.not_loaded: NotLoaded = {}
        self._loader = loader
        self._registry = registry
        self._logger = logger
        self._fail_on_plugin_error = fail_on_plugin_error

    async def run(self, config: Config) -> int:
        """Load the plugins one after the other, in the order of the configuration.

        Args:
            config: The configuration.

        Returns:
            How many were loaded.

        Raises:
            RuntimeError: If a plugin can't be loaded that may not be missing.
        """
        self.not_loaded = guard(config, self._registry)
        self._add_plugin_dirs(config)
        loaded = 0
        for plugin_config in config.plugins or ():
            if plugin_config.mode == PluginMode.DISABLED:
                self._logger.info("Plugin: %s is disabled. Ignoring.", plugin_config.name)
                continue
            try:
                await self._load(plugin_config)
            except _LoadError as error:
                self._fail(plugin_config, error, place_of(plugin_config, config, _field(error.error)))
            else:
                loaded += 1
        return loaded

    def _add_plugin_dirs(self, config: Config) -> None:
        roots = allowed_dirs(config)
        if roots:
            self._loader.append_to_search_path(config.plugin_dirs, allowed_dirs=roots)
        else:
            self._loader.append_to_search_path(config.plugin_dirs)

    async def _load(self, config: PluginConfig) -> None:
        """Load and register one plugin.

        Raises:
            _LoadError: If that is not possible; a plugin that was initialized before is shut down.
        """
        try:
            plugin = await self._loader.load_and_instantiate_plugin(config)
            if plugin is None:
                raise ValueError(f"Unable to instantiate plugin: {config.name}")
        except Exception as error:
            raise _LoadError(getattr(self._loader, "phase", "import"), error) from error
        try:
            # Some configurations are complete only now: an external plugin's server has added to it, and a built-in
            # plugin that names no hooks has been given some.
            completes = config.kind == EXTERNAL_PLUGIN_TYPE or (is_builtin(config.kind) and not config.hooks)
            trusted = plugin.config.model_copy() if completes else config
            # No `await` in between: at no time do its hooks go without it.
            step_aside(plugin.name, self._registry)
            self._registry.register(plugin, trusted_config=trusted)
            forget_missing(self.not_loaded, config)
        except Exception as error:
            await self._discard(plugin, config.name)
            if isinstance(error, (AttributeError, TypeError)) and not isinstance(plugin, Plugin):
                add_hint(error, no_plugin(config.kind))
            raise _LoadError("register", error) from error
        self._logger.info("Loaded plugin: %s (mode: %s)", plugin.name, trusted.mode.value)

    async def _discard(self, plugin: Plugin, name: str) -> None:
        try:
            await plugin.shutdown()
        except Exception as error:
            self._logger.error("Error shutting down plugin %s: %s", name, error)

    def _fail(self, config: PluginConfig, failed: _LoadError, where: str | None) -> None:
        """Record a failure, and go on without the plugin if it may be missing.

        Raises:
            RuntimeError: If it may not.
        """
        text = failure_text(failed.error, config)
        at = f" ({where})" if where else ""
        self._logger.error("Failed to load plugin %s: {%s}%s", config.name, text, at)
        details = failure_details(failed.error, config)
        self.failures.append(LoadFailure(config.name, config.kind, failed.phase, text, where, details))
        # A plugin that names no hook, or whose name is taken, can't be stood in for: it must not pass silently.
        denied = (must_not_be_missing(config) or fails_its_calls(config)) and stand_in(config, self._registry)
        note_missing(self.not_loaded, config, self._registry, text)
        if config.required or self._fail_on_plugin_error() or (config.on_missing == "deny" and not denied):
            raise RuntimeError(f"Plugin initialization failed: {config.name} - {text}{at}") from failed.error
        if denied:
            self._logger.warning("Plugin %s is missing: its hooks %s are denied", config.name, config.hooks)
        else:
            self._logger.warning("Skipping plugin %s because fail_on_plugin_error is disabled", config.name)


class _LoadError(Exception):
    """A plugin could not be loaded."""

    def __init__(self, phase: str, error: Exception) -> None:
        super().__init__(str(error))
        self.phase = phase
        self.error = error


def _field(error: Exception) -> str:
    """Name the field of an entry that an error is about; empty if it is about none."""
    return error.field if isinstance(error, BuiltinConfigError) else ""


def failure_text(error: Exception, config: PluginConfig) -> str:
    """Say why a plugin could not be loaded, without the secrets of its configuration.

    Args:
        error: What was raised.
        config: The plugin's entry of the configuration.

    Returns:
        The error's text with secret values masked.
    """
    text = str(error) or type(error).__name__
    if isinstance(error, ValidationError):
        text = _VALIDATION_INPUT.sub(f"input_value={MASK}", text)
    return without_secrets(text, config.config or {})


def failure_details(error: Exception, config: PluginConfig) -> dict[str, Any] | None:
    """Return the details of a `PluginError`, without the secrets of the plugin's configuration.

    Args:
        error: What was raised.
        config: The plugin's entry of the configuration.

    Returns:
        Its details with secret values masked; None if it has none.
    """
    details = error.error.details if isinstance(error, PluginError) else None
    settings = config.config or {}
    return {key: _masked(value, settings) for key, value in details.items()} if details else None


def _masked(value: Any, settings: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return without_secrets(value, settings)
    if isinstance(value, Mapping):
        return {key: _masked(item, settings) for key, item in value.items()}
    return [_masked(item, settings) for item in value] if isinstance(value, (list, tuple)) else value
