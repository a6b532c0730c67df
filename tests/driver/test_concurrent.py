"""Concurrent plugins: tasks of their own, limited in number, none of which outlives the call."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from cpex.framework import PluginError, PluginResult, PluginViolation
from cpex.framework.settings import settings

from .world import HOOK, PAYLOAD, Journal, Scripted, Suspended, invoke, manager_of, request, settle, task

pytestmark = pytest.mark.usefixtures("tidy")

DENIAL = PluginResult[Any](continue_processing=False, violation=PluginViolation(reason="r", description="d", code="c"))


def beside(*bodies: Any, **fields: Any) -> list[Scripted]:
    return [Scripted(body, f"p{at}", mode="concurrent", priority=at, **fields) for at, body in enumerate(bodies)]


class Counter:
    """A body that counts how many of it run at once."""

    def __init__(self) -> None:
        self.now = self.most = self.runs = 0

    async def __call__(self) -> None:
        self.now += 1
        self.runs += 1
        self.most = max(self.most, self.now)
        try:
            await settle(3)
        finally:
            self.now -= 1


def limit_pool(monkeypatch: pytest.MonkeyPatch, places: int) -> None:
    monkeypatch.setenv("PLUGINS_EXECUTION_POOL", str(places))
    settings.cache_clear()


async def test_each_has_a_task_of_its_own() -> None:
    seen: list[object] = []

    async def body() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())

    await invoke(manager_of(*beside(body, body)))
    assert seen[:2] == seen[2:]
    assert len({*seen, task()}) == 3


async def test_they_run_side_by_side() -> None:
    here, there = asyncio.Event(), asyncio.Event()

    async def one() -> None:
        here.set()
        await there.wait()

    async def other() -> None:
        await here.wait()
        there.set()

    assert (await invoke(manager_of(*beside(one, other)))).continue_processing


@pytest.mark.parametrize(("places", "most"), [(1, 1), (3, 3), (0, 8)])
async def test_pool_limit(monkeypatch: pytest.MonkeyPatch, places: int, most: int) -> None:
    limit_pool(monkeypatch, places)
    counter = Counter()
    await invoke(manager_of(*beside(*[counter] * 8)))
    assert (counter.most, counter.runs, counter.now) == (most, 8, 0)


async def test_cancellation_reaches_all() -> None:
    plugins = [Suspended(), Suspended(), Suspended()]
    caller = asyncio.create_task(invoke(manager_of(*beside(*plugins), timeout=30)))
    await asyncio.gather(*[plugin.started.wait() for plugin in plugins])
    caller.cancel("because")
    with pytest.raises(asyncio.CancelledError, match="because"):
        await caller
    assert caller.cancelling() == 1
    for plugin in plugins:
        assert plugin.journal.lines == ["CancelledError", "finally"]


async def test_cancellation_waits_for_slow_cleanup() -> None:
    journal = Journal()
    started = asyncio.Event()

    async def body() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.001)
            journal("cleaned up")

    caller = asyncio.create_task(invoke(manager_of(*beside(body))))
    await started.wait()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert journal.lines == ["cleaned up"]


async def test_cancelled_again_during_slow_cleanup() -> None:
    journal = Journal()
    started, cleaning = asyncio.Event(), asyncio.Event()

    async def body() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            cleaning.set()
            await settle(5)
            journal("cleaned up")

    caller = asyncio.create_task(invoke(manager_of(*beside(body), timeout=30)))
    await started.wait()
    caller.cancel()
    await cleaning.wait()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert caller.cancelling() == 2
    await settle(10)
    # The first cancellation is under way: the second does not cut the cleanup short.
    assert journal.lines == ["cleaned up"]


async def test_plugin_that_swallows_the_cancellation() -> None:
    """The call ends as cancelled all the same: only a plugin on the caller's own task can prevent that."""
    started = asyncio.Event()

    async def body() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    caller = asyncio.create_task(invoke(manager_of(*beside(body))))
    await started.wait()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()


async def test_denial_cancels_the_rest() -> None:
    plugin = Suspended()

    async def deny() -> Any:
        await plugin.started.wait()
        return DENIAL

    result = await invoke(manager_of(*beside(deny, plugin), timeout=30))
    assert not result.continue_processing
    assert plugin.journal.lines == ["CancelledError", "finally"]
    assert task().cancelling() == 0


async def test_denial_before_others_start(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_pool(monkeypatch, 1)
    counter = Counter()

    async def deny() -> Any:
        return DENIAL

    assert not (await invoke(manager_of(*beside(deny, counter)))).continue_processing
    assert counter.runs == 0


async def test_child_task_that_is_cancelled_from_elsewhere() -> None:
    async def body() -> None:
        task().cancel()
        await asyncio.sleep(0)

    caller = asyncio.create_task(invoke(manager_of(*beside(body))))
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert caller.cancelling() == 0


async def test_task_cancelled_before_it_began() -> None:
    counter = Counter()

    async def meddle() -> None:
        for other in asyncio.all_tasks() - {task(), outer}:
            if HOOK in repr(other):
                other.cancel()

    outer = task()
    meddler = asyncio.create_task(meddle())
    caller = asyncio.create_task(invoke(manager_of(*beside(counter))))
    await asyncio.wait([caller, meddler])
    # Whichever ran first: the pipeline ends, and without an answer of the plugin it has not allowed.
    assert caller.cancelled() or counter.runs == 1


async def test_timed_out_sibling_does_not_disturb_the_others() -> None:
    async def slow() -> None:
        await asyncio.sleep(30)

    async def brief() -> None:
        await asyncio.sleep(0.001)

    manager = manager_of(
        Scripted(slow, "slow", mode="concurrent", timeout_ms=2, on_error="ignore"),
        Scripted(brief, "brief", mode="concurrent"),
    )
    result = await invoke(manager)
    assert result.continue_processing
    assert {record.plugin_name: record.status for record in result.executions} == {
        "brief": "completed",
        "slow": "timeout",
    }


async def test_tasks_are_named_after_plugin_and_hook() -> None:
    plugin = Suspended()
    caller = asyncio.create_task(invoke(manager_of(*beside(plugin))))
    await plugin.started.wait()
    assert any(f"p0.{HOOK}" in repr(other) for other in asyncio.all_tasks())
    plugin.go.set()
    await caller


async def test_coroutine_closed_half_way() -> None:
    """`close()` can't wait: the children are told to stop and do so in their own time."""
    plugins = [Suspended(), Suspended()]
    coroutine = invoke(manager_of(*beside(*plugins), timeout=30))
    coroutine.send(None)
    await asyncio.gather(*[plugin.started.wait() for plugin in plugins])
    coroutine.close()
    await settle()
    for plugin in plugins:
        assert plugin.journal.lines == ["CancelledError", "finally"]


async def test_call_dropped_half_way() -> None:
    plugin = Suspended()
    coroutine = invoke(manager_of(*beside(plugin)))
    coroutine.send(None)
    await plugin.started.wait()
    del coroutine
    gc.collect()
    await settle()
    assert plugin.journal.lines == ["CancelledError", "finally"]


async def test_error_that_nobody_awaits_is_not_reported_twice(tidy: list[dict[str, Any]]) -> None:
    async def fail() -> None:
        raise ValueError("mine")

    manager = manager_of(*beside(fail, fail, on_error="ignore"))
    assert (await invoke(manager)).continue_processing
    gc.collect()
    assert tidy == []


def test_without_an_event_loop() -> None:
    """There is nowhere to run them: a failure of theirs, never an allow."""
    coroutine = manager_of(*beside(Counter())).invoke_hook(HOOK, PAYLOAD, request())
    with pytest.raises(PluginError, match="no running event loop"):
        coroutine.send(None)
