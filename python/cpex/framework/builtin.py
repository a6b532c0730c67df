"""The built-in plugins, `kind: builtin.<name>`: written in Rust, in Python ordinary plugins."""

from __future__ import annotations

import asyncio
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, get_args

from cpex import _core
from cpex.framework.base import Plugin
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.loader._special import BuiltinConfigError as BuiltinConfigError
from cpex.framework.models import PluginConfig, PluginContext, PluginPayload, PluginResult

if TYPE_CHECKING:
    from cpex.framework.extensions.extensions import Extensions

__all__ = ["BuiltinConfigError", "BuiltinPlugin"]

_READ_HEADERS: Final = "read_headers"


class BuiltinPlugin(Plugin):
    """A plugin of CPEX itself. Its hooks can be called and awaited as those of any other plugin.

    The manager's pipeline asks it in place, without a coroutine.

    What looks at texts sees each `str`, the keys of dicts, integers of seven digits and more, and URLs, paths, decimals
    and IP addresses: in dicts, lists, tuples, sets and pydantic models, in enumerations, and in all attributes of other
    objects, in `__dict__` or in slots. It does not see binary data, other numbers, dates and times, UUIDs, functions
    and classes, a model's private attributes and `SecretStr`, nor the names of a model's fields. A value that holds
    something elsewhere, such as a generator, is an error: it must not go on unseen. So is a payload that is nested
    deeper than 128 levels, holds itself, or has more than a million values.

    The payload is never written into. What changes is copied and keeps its class, without validation; all else stays
    the object it was. A changed text becomes a plain `str`, and the tracked containers of the framework plain ones.
    """

    def __init__(self, config: PluginConfig) -> None:
        """Make the plugin of an entry.

        Args:
            config: The entry. Without `hooks` it gets those that are usual for its kind.

        Raises:
            BuiltinConfigError: If there is no such kind, its configuration cannot be used, or it could do nothing, or
                not all that it is asked for, at one of its hooks.
        """
        self._builtin = builtin = _core.Builtin(
            config.kind,
            config.name,
            config.config,
            [(hook, _returns_something_else(hook)) for hook in config.hooks],
            config.mode.value,
            _READ_HEADERS in config.capabilities,
        )
        super().__init__(config.model_copy(update={"hooks": builtin.hooks}))
        for hook in builtin.hooks:
            answering = AsyncHook(builtin, hook)
            method = answering.answer_with_extensions if builtin.takes_extensions else answering.answer
            self.__dict__[hook] = method

    async def initialize(self) -> None:
        """Open what the plugin writes to.

        Raises:
            BuiltinConfigError: If it cannot be opened.
        """
        self._builtin.open()

    async def shutdown(self) -> None:
        """End the plugin. An audit log sends what its receiver of OpenTelemetry logs has not got yet."""
        if self._builtin.lingers:
            await asyncio.to_thread(self._builtin.close)


class AsyncHook(_core.BuiltinHook):
    """One hook of a built-in plugin, as a method that Python code can await."""

    async def answer(self, payload: PluginPayload, context: PluginContext) -> PluginResult[Any]:
        """Ask the plugin.

        Args:
            payload: What the hook is about; it is not changed.
            context: The plugin's context.

        Returns:
            What the plugin says.
        """
        answer = self.call_now(payload, context)
        return answer if isinstance(answer, PluginResult) else await answer

    async def answer_with_extensions(
        self, payload: PluginPayload, context: PluginContext, extensions: Extensions | None
    ) -> PluginResult[Any]:
        """Ask a plugin that looks at the request's extensions.

        Args:
            payload: What the hook is about; it is not changed.
            context: The plugin's context.
            extensions: What the plugin may see of the extensions.

        Returns:
            What the plugin says.
        """
        answer = self.call_now(payload, context, extensions)
        return answer if isinstance(answer, PluginResult) else await answer


def _returns_something_else(hook: str) -> bool:
    """Tell whether the plugins of a hook return another type than the one the hook is about."""
    registry = get_hook_registry()
    payload_type, result_type = registry.get_payload_type(hook), registry.get_result_type(hook)
    if payload_type is None or result_type is None:
        return False
    returned = result_type.model_fields["modified_payload"].annotation
    kinds = [kind for kind in get_args(returned) or (returned,) if isinstance(kind, type) and kind is not NoneType]
    return bool(kinds) and not any(issubclass(kind, payload_type) for kind in kinds)
