"""Which method of a plugin answers a hook, and whether it can be called as one."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, get_type_hints

from cpex.framework.decorator import get_hook_metadata
from cpex.framework.errors import PluginError
from cpex.framework.hooks import registry as hook_registry
from cpex.framework.models import PluginErrorModel

logger = logging.getLogger("cpex.framework.base")


def plugin_error(message: str, plugin_name: str, code: str | None = None) -> PluginError:
    """Make an error that is the plugin's fault. A field that is not given stays unset, as it is in dumps."""
    if code is None:
        return PluginError(error=PluginErrorModel(message=message, plugin_name=plugin_name))
    return PluginError(error=PluginErrorModel(message=message, plugin_name=plugin_name, code=code))


def decorated_method(plugin: object, hook: str) -> Callable[..., Any] | None:
    """Find the first public method, in alphabetical order, that is decorated for a hook.

    Args:
        plugin: The plugin.
        hook: Name of the hook.

    Returns:
        The bound method, or None.
    """
    for name in dir(plugin):
        # Properties are left alone: evaluating one could have effects or fail.
        if name.startswith("_") or isinstance(inspect.getattr_static(plugin, name, None), property):
            continue
        method = getattr(plugin, name, None)
        metadata = get_hook_metadata(method) if inspect.ismethod(method) else None
        if metadata is not None and metadata.matches(hook):
            return method
    return None


def count_parameters(hook: str, func: Callable[..., Any] | None, plugin_name: str) -> int:
    """Check that a method can be called as a hook, and count its parameters.

    Args:
        hook: Name of the hook.
        func: The method found for it, if any.
        plugin_name: Name of the plugin, for the message.

    Returns:
        2 or 3: without or with extensions.

    Raises:
        PluginError: If there is no method, it takes another number of parameters or is not a coroutine function.
        TypeError: If it is not callable.
    """
    if func is None:
        raise plugin_error(
            f"Plugin '{plugin_name}' has no hook: '{hook}'. "
            f"Method must either be named '{hook}' or decorated with @hook('{hook}')",
            plugin_name,
        )
    parameters = list(inspect.signature(func).parameters)
    if len(parameters) not in (2, 3):
        raise plugin_error(
            f"Plugin '{plugin_name}' hook '{hook}' has invalid signature. "
            f"Expected 2 or 3 parameters (payload, context[, extensions]), got {len(parameters)}: {parameters}. "
            f"Correct signature: async def {hook}(self, payload: PayloadType, context: PluginContext"
            "[, extensions: Extensions]) -> ResultType",
            plugin_name,
        )
    if not inspect.iscoroutinefunction(func):
        method = getattr(func, "__name__", type(func).__name__)
        raise plugin_error(
            f"Plugin '{plugin_name}' hook '{hook}' must be async. Method '{method}' is not a coroutine function. "
            f"Use 'async def {method}(...)' instead of 'def {method}(...)'.",
            plugin_name,
        )
    return len(parameters)


def check_type_hints(hook: str, func: Callable[..., Any], params: list[inspect.Parameter], plugin_name: str) -> None:
    """Compare a method's annotations with the hook's registered types.

    Args:
        hook: Name of the hook; an unregistered one has no types to compare with.
        func: The method.
        params: Its parameters, without `self`.
        plugin_name: Name of the plugin, for the message.

    Raises:
        PluginError: If an annotation is missing or names another type.
    """
    registry = hook_registry.get_hook_registry()
    payload_type, result_type = registry.get_payload_type(hook), registry.get_result_type(hook)
    if payload_type is None or result_type is None:
        return
    try:
        hints = get_type_hints(func)
    except Exception as error:
        logger.debug("Could not extract type hints for plugin '%s' hook '%s': %s", plugin_name, hook, error)
        return
    where, payload = f"Plugin '{plugin_name}' hook '{hook}'", params[0].name
    if payload not in hints:
        problem = f"missing type hint for parameter '{payload}'. Expected: {payload}: {payload_type.__name__}"
    elif hints[payload] is not payload_type:
        problem = (
            f"parameter '{payload}' has incorrect type hint. Expected: {payload_type.__name__}, Got: {hints[payload]}"
        )
    elif "return" not in hints:
        problem = f"missing return type hint. Expected: -> {result_type.__name__}"
    elif hints["return"] is not result_type:
        problem = f"has incorrect return type hint. Expected: {result_type.__name__}, Got: {hints['return']}"
    else:
        return
    raise plugin_error(f"{where} {problem}", plugin_name)
