"""The plugin base class, and the references by which the manager holds plugins and their hook methods."""

from __future__ import annotations

import uuid
from abc import ABC
from collections.abc import Callable
from functools import partial
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from cpex import _core
from cpex.framework._lazy import names_from
from cpex.framework._signature import check_type_hints, count_parameters, decorated_method, plugin_error
from cpex.framework.hooks import registry as hook_registry
from cpex.framework.models import (
    OnError,
    PluginCondition,
    PluginConfig,
    PluginMode,
    PluginPayload,
    PluginResult,
)

__all__ = ["HookRef", "Plugin", "PluginRef"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.errors": ("PluginError",),
            "cpex.framework.models": ("PluginContext", "PluginErrorModel"),
        },
    )


class Plugin(ABC):  # noqa: B024 - upstream's base is an ABC, and plugins rely on its metaclass
    """Base class of all plugins.

    A plugin answers a hook with an `async def` method of the hook's name, or with one decorated with `@hook(name)`.
    """

    def __init__(
        self,
        config: PluginConfig,
        hook_payloads: dict[str, type[PluginPayload]] | None = None,
        hook_results: dict[str, type[PluginResult[Any]]] | None = None,
    ) -> None:
        """Make a plugin.

        Args:
            config: The plugin's entry of the configuration.
            hook_payloads: Payload models of hooks only this plugin knows.
            hook_results: Result models of hooks only this plugin knows.
        """
        self._config = config
        self._hook_payloads = hook_payloads
        self._hook_results = hook_results

    @property
    def priority(self) -> int:
        """Priority in its phase; lower runs first."""
        return self._config.priority

    @property
    def config(self) -> PluginConfig:
        """The plugin's entry of the configuration."""
        return self._config

    @property
    def mode(self) -> PluginMode:
        """Execution mode."""
        return self._config.mode

    @property
    def name(self) -> str:
        """Unique name."""
        return self._config.name

    @property
    def hooks(self) -> list[str]:
        """Names of the hooks the plugin answers."""
        return self._config.hooks

    @property
    def tags(self) -> list[str]:
        """Tags, for searching."""
        return self._config.tags

    @property
    def conditions(self) -> list[PluginCondition] | None:
        """When the plugin runs; empty means always."""
        return self._config.conditions

    async def initialize(self) -> None:  # noqa: B027 - optional
        """Prepare the plugin. Called once, before its first hook."""

    async def shutdown(self) -> None:  # noqa: B027 - optional
        """Release what the plugin holds. Called once, when its manager shuts down."""

    def json_to_payload(self, hook: str, payload: str | dict[str, Any]) -> PluginPayload:
        """Read the payload of a hook from JSON.

        Args:
            hook: Name of the hook.
            payload: JSON text, or the mapping it stands for.

        Returns:
            The validated payload.

        Raises:
            PluginError: If neither the plugin nor the hook registry knows the hook.
        """
        payload_type = (self._hook_payloads or {}).get(hook) or hook_registry.get_hook_registry().get_payload_type(hook)
        if payload_type is None:
            raise plugin_error(f"No payload defined for hook {hook}.", self.name)
        return (
            payload_type.model_validate_json(payload)
            if isinstance(payload, str)
            else payload_type.model_validate(payload)
        )

    def json_to_result(self, hook: str, result: str | dict[str, Any]) -> PluginResult[Any]:
        """Read the result of a hook from JSON.

        Args:
            hook: Name of the hook.
            result: JSON text, or the mapping it stands for.

        Returns:
            The validated result.

        Raises:
            PluginError: If neither the plugin nor the hook registry knows the hook.
        """
        result_type = (self._hook_results or {}).get(hook) or hook_registry.get_hook_registry().get_result_type(hook)
        if result_type is None:
            raise plugin_error(f"No result defined for hook {hook}.", self.name)
        return (
            result_type.model_validate_json(result) if isinstance(result, str) else result_type.model_validate(result)
        )


class _Tracked:
    """An object the engine compiles line-ups from: a changed attribute makes it compile them again."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        _core.touch()


class PluginRef(_Tracked):
    """A registered plugin together with the configuration the manager trusts."""

    def __init__(self, plugin: Plugin, trusted_config: PluginConfig | None = None) -> None:
        """Make a reference.

        Args:
            plugin: The plugin.
            trusted_config: The manager's own configuration of it, out of the plugin's reach. Without it the
                plugin's own configuration counts.
        """
        self._plugin = plugin
        self._trusted_config = trusted_config if trusted_config is not None else plugin.config
        self._uuid = uuid.uuid4()

    @property
    def plugin(self) -> Plugin:
        """The plugin object."""
        return self._plugin

    @property
    def trusted_config(self) -> PluginConfig:
        """The configuration that decides mode, priority, error handling, conditions and capabilities."""
        return self._trusted_config

    @property
    def uuid(self) -> str:
        """32 hexadecimal digits, new for every registration."""
        return self._uuid.hex

    @property
    def priority(self) -> int:
        """Priority in its phase; lower runs first."""
        return self._trusted_config.priority

    @property
    def name(self) -> str:
        """Name of the plugin."""
        return self._trusted_config.name

    @property
    def hooks(self) -> list[str]:
        """Names of the hooks the plugin answers."""
        return self._trusted_config.hooks

    @property
    def tags(self) -> list[str]:
        """Tags, for searching."""
        return self._trusted_config.tags

    @property
    def conditions(self) -> list[PluginCondition] | None:
        """When the plugin runs; empty means always."""
        return self._trusted_config.conditions

    @property
    def mode(self) -> PluginMode:
        """Execution mode."""
        return self._trusted_config.mode

    @property
    def on_error(self) -> OnError:
        """What an exception or a timeout of the plugin means for the pipeline."""
        return self._trusted_config.on_error

    @property
    def capabilities(self) -> frozenset[str]:
        """What the plugin may read and write of a request's extensions."""
        return self._trusted_config.capabilities


class HookRef(_Tracked):
    """One hook of a registered plugin, bound to the method that answers it."""

    def __init__(self, hook: str, plugin_ref: PluginRef) -> None:
        """Find the method that answers the hook and check its signature.

        Args:
            hook: Name of the hook.
            plugin_ref: The plugin.

        Raises:
            PluginError: If the plugin has no method for the hook, or one that can't be called as a hook.
            TypeError: If the attribute of the hook's name is not callable.
        """
        self._plugin_ref = plugin_ref
        self._hook = hook
        func: Any = getattr(plugin_ref.plugin, hook, None)
        if func is None:
            func = decorated_method(plugin_ref.plugin, hook)
        self._func: Callable[..., Any] = func
        self._accepts_extensions = count_parameters(hook, func, plugin_ref.name) == 3

    @property
    def plugin_ref(self) -> PluginRef:
        """The plugin."""
        return self._plugin_ref

    @property
    def name(self) -> str:
        """Name of the hook."""
        return self._hook

    @property
    def hook(self) -> Callable[..., Any]:
        """The method that answers the hook."""
        return self._func

    @property
    def accepts_extensions(self) -> bool:
        """Whether the method takes the request's extensions as a third argument."""
        return self._accepts_extensions

    def _validate_type_hints(
        self, hook: str, func: Callable[..., Any], params: list[Parameter], plugin_name: str
    ) -> None:
        """Compare a method's annotations with the hook's registered types. Registering a plugin does not ask for it.

        Args:
            hook: Name of the hook; an unregistered one has no types to compare with.
            func: The method.
            params: Its parameters, without `self`.
            plugin_name: Name of the plugin, for the message.

        Raises:
            PluginError: If an annotation is missing or names another type.
        """
        check_type_hints(hook, func, params, plugin_name)


class ExternalHookRef(HookRef):
    """One hook of a plugin that answers all its hooks through `invoke_hook(hook, payload, context)`.

    A plugin whose attribute `takes_extensions` is true gets the request's extensions, too: as the last argument.
    """

    def __init__(self, hook: str, plugin_ref: PluginRef) -> None:
        """Bind the hook's name to the plugin's `invoke_hook`.

        Args:
            hook: Name of the hook.
            plugin_ref: The plugin.

        Raises:
            PluginError: If the plugin has no callable `invoke_hook`.
        """
        self._plugin_ref = plugin_ref
        self._hook = hook
        self._accepts_extensions = getattr(plugin_ref.plugin, "takes_extensions", False) is True
        invoke_hook = getattr(plugin_ref.plugin, "invoke_hook", None)
        if not callable(invoke_hook):
            raise plugin_error(
                f"Plugin '{plugin_ref.name}' is not an external plugin: it has no method 'invoke_hook'", plugin_ref.name
            )
        self._func = partial(invoke_hook, hook)
