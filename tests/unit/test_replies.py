"""A denial stands, whatever else is wrong with the answer it comes in (P17)."""

from __future__ import annotations

import asyncio
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

HOOK = "tool_pre_invoke"


class Denies(Plugin):
    """Denies, with something wrong beside it."""

    def __init__(self, **wrong: Any) -> None:
        super().__init__(PluginConfig(name="p", kind="k", hooks=[HOOK], on_error="ignore"))
        self.wrong = wrong

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        denial = PluginResult[Any](continue_processing=False)
        vars(denial).update(self.wrong)
        return denial


class DeniesAndForgets(Denies):
    """Denies, and leaves no request behind."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        vars(context)["global_context"] = None
        return await super().tool_pre_invoke(payload, context)


class DeniesAndBreaksTheState(Denies):
    """Denies, and leaves something in place of the state that can't be merged."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        vars(context.global_context)["state"] = 7
        return await super().tool_pre_invoke(payload, context)


@pytest.mark.parametrize(
    "plugin",
    [
        Denies(retry_delay_ms="soon"),
        Denies(retry_delay_ms=None),
        Denies(modified_extensions="none"),
        Denies(modified_payload=object()),
        DeniesAndForgets(),
        DeniesAndBreaksTheState(),
    ],
    ids=lambda plugin: f"{type(plugin).__name__}({plugin.wrong})",
)
@pytest.mark.parametrize("alone", [False, True], ids=["hook", "plugin"])
def test_a_denial_stands(plugin: Plugin, alone: bool) -> None:
    manager = TenantPluginManager(Config())
    manager._registry.register(plugin)
    payload, context = ToolPreInvokePayload(name="t"), GlobalContext(request_id="1")
    if alone:
        result = asyncio.run(manager.invoke_hook_for_plugin("p", HOOK, payload, context))
    else:
        result, _ = asyncio.run(manager.invoke_hook(HOOK, payload, context))
    assert not result.continue_processing
