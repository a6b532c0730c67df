"""What a plugin does to the state of a request, and what of it comes back (B11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from cpex.framework import (
    GlobalContext,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginResult,
    TenantPluginManager,
    ToolPreInvokePayload,
)
from cpex.framework.models import Config


class Writes(Plugin):
    """Does something to the request's context."""

    def __init__(self, write: Callable[[GlobalContext], Any]) -> None:
        super().__init__(PluginConfig(name="p", kind="k", hooks=["tool_pre_invoke"]))
        self.write = write

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        self.write(context.global_context)
        return PluginResult()


@pytest.mark.parametrize(
    ("write", "state"),
    [
        (lambda seen: seen.state.update(b=2), {"a": {"n": 1}, "b": 2}),
        (lambda seen: seen.state.pop("a"), {}),
        (lambda seen: seen.state["a"].update(n=9), {"a": {"n": 9}}),
        (lambda seen: setattr(seen, "state", {"b": 2}), {"a": {"n": 1}, "b": 2}),
        (lambda seen: setattr(seen, "state", {}), {"a": {"n": 1}}),
    ],
    ids=["added", "deleted", "nested", "put in its place", "emptied by another"],
)
def test_what_comes_back(write: Callable[[GlobalContext], Any], state: dict[str, Any]) -> None:
    manager = TenantPluginManager(Config())
    manager._registry.register(Writes(write))
    context = GlobalContext(request_id="1", state={"a": {"n": 1}})
    asyncio.run(manager.invoke_hook("tool_pre_invoke", ToolPreInvokePayload(name="t"), context))
    assert context.state == state
