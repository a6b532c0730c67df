"""What probes share: plugins, managers, what is logged."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from cpex.framework import (
    GlobalContext,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginManager,
    PluginResult,
    TenantPluginManager,
    ToolPreInvokePayload,
)
from cpex.framework.models import Config

HOOK = "tool_pre_invoke"


class Ran(Plugin):
    """Says in the metadata that it ran."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult[Any](metadata={self.name: "ran"})


def entry(plugin: type[Plugin], name: str = "a", **fields: Any) -> PluginConfig:
    """Returns the entry of a plugin that answers `tool_pre_invoke`."""
    kind = f"{plugin.__module__}.{plugin.__name__}"
    return PluginConfig.model_validate({"name": name, "kind": kind, "hooks": [HOOK], **fields})


async def started(*entries: PluginConfig, timeout: Any = 30, **fields: Any) -> TenantPluginManager:
    """Returns a manager of its own with these plugins."""
    manager = TenantPluginManager(Config.model_validate({"plugins": list(entries), **fields}), timeout=timeout)
    await manager.initialize()
    return manager


class Logged(logging.Handler):
    """Keeps every message of a level."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


@contextlib.contextmanager
def logged(level: int = logging.WARNING) -> Iterator[list[str]]:
    """Collects what is logged."""
    handler = Logged(level)
    logging.getLogger().addHandler(handler)
    try:
        yield handler.messages
    finally:
        logging.getLogger().removeHandler(handler)


def call(**args: Any) -> ToolPreInvokePayload:
    """Returns the payload of a tool call."""
    return ToolPreInvokePayload(name="t", args=args)


def request() -> GlobalContext:
    """Returns the context of a request."""
    return GlobalContext(request_id="1")


async def invoked(manager: PluginManager, payload: Any = None) -> PluginResult[Any]:
    """Returns the result of `tool_pre_invoke`."""
    result, _ = await manager.invoke_hook(HOOK, payload or call(), request())
    return result
