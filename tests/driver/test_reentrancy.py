"""A plugin may invoke hooks itself: the same, another, deep down, beside itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cpex.framework import PluginError, PluginResult

from .world import HOOK, PAYLOAD, Journal, Scripted, Suspended, invoke, manager_of, request, settle, task

pytestmark = pytest.mark.usefixtures("tidy")

DEPTH = 50


@pytest.mark.parametrize("mode", ["sequential", "transform", "audit", "concurrent"])
@pytest.mark.parametrize("suspend", [False, True])
async def test_same_hook_fifty_deep(mode: str, suspend: bool) -> None:
    depth = deepest = 0

    async def body() -> Any:
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)
        if suspend:
            await asyncio.sleep(0)
        inner = {} if depth == DEPTH else (await invoke(manager)).metadata or {}
        if suspend:
            await asyncio.sleep(0)
        depth -= 1
        return PluginResult(metadata={"levels": inner.get("levels", 0) + 1})

    manager = manager_of(Scripted(body, mode=mode), timeout=30)
    assert (await invoke(manager)).metadata == {"levels": DEPTH}
    assert deepest == DEPTH


async def test_other_hook() -> None:
    journal = Journal()

    class Both(Scripted):
        async def tool_post_invoke(self, payload: Any, context: Any) -> Any:
            await asyncio.sleep(0)
            journal("post")
            return PluginResult()

    async def body() -> None:
        result, _ = await manager.invoke_hook("tool_post_invoke", PAYLOAD, request())
        assert result.continue_processing
        journal("pre")

    plugin = Both(body)
    plugin.config.hooks.append("tool_post_invoke")
    manager = manager_of(plugin)
    await invoke(manager)
    assert journal.lines == ["post", "pre"]


async def test_gathered_inside_a_plugin() -> None:
    inner = manager_of(Scripted(settle), timeout=30)

    async def body() -> Any:
        results = await asyncio.gather(*[invoke(inner) for _ in range(20)])
        made = asyncio.create_task(invoke(inner))
        results.append(await made)
        return PluginResult(metadata={"calls": len(results)})

    assert (await invoke(manager_of(Scripted(body)))).metadata == {"calls": 21}


async def test_same_hook_gathered_inside_a_plugin() -> None:
    depth = 0

    async def body() -> None:
        nonlocal depth
        if depth:
            await asyncio.sleep(0)
            return
        depth += 1
        for result in await asyncio.gather(*[invoke(manager) for _ in range(20)]):
            assert result.continue_processing

    manager = manager_of(Scripted(body), timeout=30)
    assert (await invoke(manager)).continue_processing


async def test_cancellation_fifty_deep() -> None:
    """One cancellation, seen once at each level, from the inside out."""
    journal = Journal()
    plugin = Suspended(journal)
    depth = 0

    async def body() -> None:
        nonlocal depth
        depth += 1
        level = depth
        try:
            await (plugin() if depth == DEPTH else invoke(manager))
        except asyncio.CancelledError:
            journal(level)
            raise

    manager = manager_of(Scripted(body), timeout=30)
    caller = asyncio.create_task(invoke(manager))
    await plugin.started.wait()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert caller.cancelling() == 1
    assert journal.lines == ["CancelledError", "finally", *range(DEPTH, 0, -1)]


async def test_error_fifty_deep() -> None:
    """The PluginError is made once, by the innermost call, and passed on."""
    depth = 0

    async def body() -> None:
        nonlocal depth
        depth += 1
        await asyncio.sleep(0)
        if depth == DEPTH:
            raise ValueError("deep down")
        await invoke(manager)

    with pytest.raises(PluginError) as caught:
        manager = manager_of(Scripted(body))
        await invoke(manager)
    assert isinstance(caught.value.__cause__, ValueError)


async def test_registering_from_within() -> None:
    """The line-up of a call under way does not change."""
    journal = Journal()

    async def late() -> None:
        journal("late")

    async def body() -> None:
        await asyncio.sleep(0)
        manager._registry.register(Scripted(late, "late", priority=999))
        journal("early")

    manager = manager_of(Scripted(body, "early", priority=1))
    await invoke(manager)
    assert journal.lines == ["early"]
    manager._registry.unregister("early")
    await invoke(manager)
    assert journal.lines == ["early", "late"]


async def test_unregistering_oneself() -> None:
    journal = Journal()

    async def body() -> None:
        manager._registry.unregister("p")
        await asyncio.sleep(0)
        journal("still here")

    manager = manager_of(Scripted(body))
    assert (await invoke(manager)).continue_processing
    assert journal.lines == ["still here"]
    _, table = await manager.invoke_hook(HOOK, PAYLOAD, request())
    assert table is None


async def test_shutdown_from_within() -> None:
    async def body() -> None:
        await manager.shutdown()
        await asyncio.sleep(0)

    manager = manager_of(Scripted(body))
    await manager.initialize()
    manager._registry.register(Scripted(body))
    assert (await invoke(manager)).continue_processing
    assert task().cancelling() == 0
