"""Which payload and which result belong to a hook."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any
from typing import Dict as Dict  # noqa: UP035 - a public name of 0.1.x

from cpex.framework.models import PluginPayload, PluginResult

_BUILTIN_HOOKS = ("tools", "prompts", "resources", "agents", "http")
_ON_DEMAND_HOOKS = {
    "message": (
        "evaluate",
        "cmf.tool_pre_invoke",
        "cmf.tool_post_invoke",
        "cmf.llm_input",
        "cmf.llm_output",
        "cmf.resource_pre_fetch",
        "cmf.resource_post_fetch",
        "cmf.prompt_pre_fetch",
        "cmf.prompt_post_fetch",
    ),
    "identity": ("identity_resolve", "token_delegate"),
}
"""Modules that register hooks only when somebody imports them, and the names of these hooks."""


@cache
def _load_builtin_hooks() -> None:
    """Imports the modules of the built-in hooks, which register themselves.

    Done at the first question, not at import: half of the time it takes to import the framework is theirs.
    """
    for module in _BUILTIN_HOOKS:
        import_module(f"cpex.framework.hooks.{module}")


class HookRegistry:
    """The hooks this process knows. A singleton: every instance is the same."""

    _instance: HookRegistry | None = None
    _hook_payloads: dict[str, type[PluginPayload]] = {}
    _hook_results: dict[str, type[PluginResult[Any]]] = {}

    def __new__(cls) -> HookRegistry:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def register_hook(
        self,
        hook_type: str,
        payload_class: type[PluginPayload],
        result_class: type[PluginResult[Any]],
    ) -> None:
        """Registers a hook, in place of one of the same name.

        Args:
            hook_type: Its name.
            payload_class: What it takes.
            result_class: What it returns.
        """
        self._hook_payloads[hook_type] = payload_class
        self._hook_results[hook_type] = result_class

    def _register_builtin(
        self,
        hook_type: str,
        payload_class: type[PluginPayload],
        result_class: type[PluginResult[Any]],
    ) -> None:
        """Registers a built-in hook, unless an application was there first.

        Args:
            hook_type: Its name.
            payload_class: What it takes.
            result_class: What it returns.
        """
        self._hook_payloads.setdefault(hook_type, payload_class)
        self._hook_results.setdefault(hook_type, result_class)

    def get_payload_type(self, hook_type: str) -> type[PluginPayload] | None:
        """Looks up what a hook takes.

        Args:
            hook_type: Name of the hook.

        Returns:
            The payload class, or None for an unknown hook.
        """
        _load_builtin_hooks()
        return self._hook_payloads.get(hook_type)

    def get_result_type(self, hook_type: str) -> type[PluginResult[Any]] | None:
        """Looks up what a hook returns.

        Args:
            hook_type: Name of the hook.

        Returns:
            The result class, or None for an unknown hook.
        """
        _load_builtin_hooks()
        return self._hook_results.get(hook_type)

    def json_to_payload(self, hook_type: str, payload: str | dict[str, Any]) -> PluginPayload:
        """Reads a payload.

        Args:
            hook_type: Name of the hook.
            payload: JSON text or its values.

        Returns:
            The payload.

        Raises:
            ValueError: If the hook is not registered or the payload does not fit it.
        """
        payload_type = self.get_payload_type(hook_type)
        if payload_type is None:
            raise ValueError(f"No payload type registered for hook: {hook_type}")
        if isinstance(payload, str):
            return payload_type.model_validate_json(payload)
        return payload_type.model_validate(payload)

    def json_to_result(self, hook_type: str, result: str | dict[str, Any]) -> PluginResult[Any]:
        """Reads a result.

        Args:
            hook_type: Name of the hook.
            result: JSON text or its values.

        Returns:
            The result.

        Raises:
            ValueError: If the hook is not registered or the result does not fit it.
        """
        result_type = self.get_result_type(hook_type)
        if result_type is None:
            raise ValueError(f"No result type registered for hook: {hook_type}")
        if isinstance(result, str):
            return result_type.model_validate_json(result)
        return result_type.model_validate(result)

    def is_registered(self, hook_type: str) -> bool:
        """Says whether a hook is known.

        Args:
            hook_type: Name of the hook.

        Returns:
            Whether both its payload and its result are.
        """
        _load_builtin_hooks()
        return hook_type in self._hook_payloads and hook_type in self._hook_results

    def get_registered_hooks(self) -> list[str]:
        """Lists the hooks.

        Returns:
            Their names, in the order of registration.
        """
        _load_builtin_hooks()
        return list(self._hook_payloads)


_global_registry = HookRegistry()


def get_hook_registry() -> HookRegistry:
    """Gets the hook registry of this process.

    Returns:
        The registry.
    """
    return _global_registry


def register_all_hooks() -> None:
    """Makes the registry know the hooks of CPEX that register themselves only when somebody imports them, too."""
    _load_builtin_hooks()
    for module in _ON_DEMAND_HOOKS:
        import_module(f"cpex.framework.hooks.{module}")


def hook_names() -> list[str]:
    """Lists the hooks as plain texts: the built-in ones are registered as members of enumerations.

    Returns:
        Their names, in the order of registration.
    """
    return [str.__str__(hook) for hook in _global_registry.get_registered_hooks()]


def known_hooks() -> set[str]:
    """Lists the hooks a plugin can be meant for, without registering any.

    Returns:
        The registered ones, and those of CPEX that register themselves only when somebody imports them.
    """
    return {*hook_names(), *(hook for hooks in _ON_DEMAND_HOOKS.values() for hook in hooks)}
