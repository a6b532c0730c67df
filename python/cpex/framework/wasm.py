"""Plugins in WebAssembly, `kind: wasm`: code that need not be trusted, in the process of the application."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from functools import partial
from typing import Any, ClassVar, Final

import cpex_wasm
from pydantic_core import from_json, to_json

from cpex.framework._signature import plugin_error
from cpex.framework.errors import PluginError
from cpex.framework.external._client import RemotePlugin
from cpex.framework.loader._special import DIRECTORY, BuiltinConfigError
from cpex.framework.models import PluginConfig, PluginErrorModel

__all__ = ["WasmPlugin"]

_PATIENCE: Final = 30.0
"""Seconds for the first instance of a plugin, unless its entry gives a call longer."""


class WasmPlugin(RemotePlugin):
    """A plugin that reaches what it is given with a call and the log, and nothing else.

    A call runs where it is made for about a millisecond at most, and then on a thread of Rust's, without the
    interpreter. One that is cancelled, or takes too long, ends there.
    """

    _TELLS_EMPTY_STATE: ClassVar[bool] = True
    _NOT_CONNECTED: ClassVar[str] = "Plugin not initialized"

    def __init__(self, config: PluginConfig) -> None:
        """Make the plugin of an entry. Its code is compiled in `initialize()`.

        Args:
            config: The plugin's entry of the configuration.

        Raises:
            BuiltinConfigError: If it names no hooks, or its `config` cannot be used.
        """
        super().__init__(config)
        if not config.hooks:
            problem = "a plugin in WebAssembly does not name its hooks: name those to attach it to"
            raise BuiltinConfigError("hooks", problem)
        try:
            cpex_wasm.check(_settings(config), _root(config))
        except ValueError as error:
            raise _told(error, config.name) from None

    def _make_client(self) -> _Sandbox:
        return _Sandbox(self._config)

    def _completed(self, remote: bytes | None) -> PluginConfig:
        return self._config


class _Sandbox:
    """The plugin's code, asked like a server."""

    def __init__(self, config: PluginConfig) -> None:
        self._config = config
        self._plugin: cpex_wasm.Plugin | None = None

    async def connect(self) -> tuple[None, bool]:
        config = self._config
        patience = max(_PATIENCE, (config.timeout_ms or 0) / 1000)
        try:
            plugin = await asyncio.to_thread(cpex_wasm.Plugin.load, config.name, _settings(config), _root(config))
            started = plugin.start()
            if started is not None:
                await asyncio.wait_for(_ended(started), patience)
        except TimeoutError:
            raise plugin_error(f"the plugin did not start within {patience:g} seconds", config.name) from None
        except (ValueError, RuntimeError) as error:
            raise _told(error, config.name) from None
        self._plugin = plugin
        return None, True

    async def _awaited(self, call: cpex_wasm.Running) -> tuple[bytes, bytes | None, bool]:
        try:
            answer = await _ended(call)
        except (ValueError, RuntimeError) as error:
            raise _told(error, self._config.name) from None
        if answer is None:
            raise plugin_error("there is no answer", self._config.name)
        return *answer, True

    def invoke(
        self, hook: str, payload: bytes, context: bytes, extensions: bytes | None
    ) -> Awaitable[tuple[bytes, bytes | None, bool]] | tuple[bytes, bytes | None, bool]:
        if self._plugin is None:
            raise plugin_error("Plugin not initialized", self._config.name)
        try:
            answer = self._plugin.invoke(hook, payload, context, extensions)
        except (ValueError, RuntimeError) as error:
            raise _told(error, self._config.name) from None
        return (*answer, True) if isinstance(answer, tuple) else self._awaited(answer)

    def status(self) -> list[dict[str, Any]]:
        return []

    def close(self) -> None:
        self._plugin = None


def _settings(config: PluginConfig) -> str:
    return to_json(config.config or {}).decode()


def _root(config: PluginConfig) -> str:
    """Where a relative path of an entry begins."""
    return str(config.__dict__.get(DIRECTORY, os.curdir))


def _told(error: Exception, plugin: str) -> Exception:
    """Turn what the extension module raises into the errors of the framework."""
    match error.args:
        case (str(field), str(problem)):
            return BuiltinConfigError(f"config.{field}" if field else "config", problem)
        case (str(message), str(code), str(details)):
            return PluginError(
                error=PluginErrorModel(message=message, plugin_name=plugin, code=code, details=from_json(details))
            )
        case _:
            return plugin_error(str(error), plugin)


async def _ended(call: cpex_wasm.Running) -> tuple[bytes, bytes | None] | None:
    """Wait for a call; give it up if nobody waits any more."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    call.start(partial(loop.call_soon_threadsafe, _set, ended))
    try:
        await ended
    finally:
        call.abort()
    return call.result()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
