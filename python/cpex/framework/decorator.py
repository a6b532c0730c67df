"""The `@hook` decorator: attaches a plugin method to one or more hooks, whatever the method is called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from cpex.framework.models import PluginPayload, PluginResult

__all__ = ["HookMetadata", "get_hook_metadata", "has_hook_metadata", "hook"]

P = TypeVar("P", bound=PluginPayload)
R = TypeVar("R", bound="PluginResult[Any]")
_Func = TypeVar("_Func", bound=Callable[..., Any])

_HOOK_METADATA_ATTR = "_plugin_hook_metadata"


class HookMetadata:
    """What `@hook` stores on a method: the hooks it answers and, optionally, their types."""

    def __init__(
        self,
        hook_types: list[str],
        payload_type: type[PluginPayload] | None = None,
        result_type: type[PluginResult[Any]] | None = None,
    ) -> None:
        """Keep the hook names and their types.

        Args:
            hook_types: Names of the hooks the method answers.
            payload_type: Payload model of the hooks, if the plugin brings its own.
            result_type: Result model of the hooks, if the plugin brings its own.
        """
        self.hook_types = hook_types
        self.payload_type = payload_type
        self.result_type = result_type

    @property
    def hook_type(self) -> str:
        """The first hook name."""
        return self.hook_types[0]

    def matches(self, hook_type: str) -> bool:
        """Tell whether the method answers a hook.

        Args:
            hook_type: Name of the hook.

        Returns:
            True if the name was given to the decorator.
        """
        return hook_type in self.hook_types


def hook(
    hook_type: str | Sequence[str],
    payload_type: type[P] | None = None,
    result_type: type[R] | None = None,
) -> Callable[[_Func], _Func]:
    """Attach a plugin method to a hook, or to several.

    When both types are given and the hook is unknown to the hook registry, registering the plugin registers it.

    Args:
        hook_type: Hook name, or a sequence of names.
        payload_type: Payload model of the hook.
        result_type: Result model of the hook.

    Returns:
        A decorator that marks the method and returns it unchanged.

    Raises:
        TypeError: If the hooks are no names.
    """
    hook_types = [hook_type] if isinstance(hook_type, str) else _names(hook_type)

    def decorator(func: _Func) -> _Func:
        setattr(func, _HOOK_METADATA_ATTR, HookMetadata(hook_types, payload_type, result_type))
        return func

    return decorator


def _names(hook_types: object) -> list[str]:
    names: list[Any] = list(hook_types) if isinstance(hook_types, Iterable) else [hook_types]
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"@hook takes the name of a hook, such as 'tool_pre_invoke', or several, not {name!r}")
    return names


def get_hook_metadata(func: Callable[..., Any]) -> HookMetadata | None:
    """Read what `@hook` stored on a function or bound method.

    Args:
        func: The function to look at.

    Returns:
        The metadata, or None if the function is not decorated.
    """
    metadata = getattr(func, _HOOK_METADATA_ATTR, None)
    return metadata if isinstance(metadata, HookMetadata) else None


def has_hook_metadata(func: Callable[..., Any]) -> bool:
    """Tell whether a function is decorated with `@hook`.

    Args:
        func: The function to look at.

    Returns:
        True if it is.
    """
    return get_hook_metadata(func) is not None
