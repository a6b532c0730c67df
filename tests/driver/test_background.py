"""Fire-and-forget plugins: tasks that outlive the call, limited in number, each judging itself."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from cpex.framework import PluginError, PluginResult

from .test_concurrent import DENIAL, Counter, limit_pool
from .world import Journal, Scripted, Suspended, invoke, manager_of, settle, task

pytestmark = pytest.mark.usefixtures("tidy")


def behind(*bodies: Any, **fields: Any) -> list[Scripted]:
    return [Scripted(body, f"p{at}", mode="fire_and_forget", priority=at, **fields) for at, body in enumerate(bodies)]


async def test_drained_by_wait_for_background_tasks() -> None:
    plugins = [Suspended(), Suspended()]
    result = await invoke(manager_of(*behind(*plugins)))
    assert len(result.background_tasks) == 2
    assert [plugin.journal.lines for plugin in plugins] == [[], []]
    for plugin in plugins:
        plugin.go.set()
    assert await result.wait_for_background_tasks() == []
    assert [plugin.journal.lines for plugin in plugins] == [["went on", "finally"]] * 2


async def test_task_is_its_own() -> None:
    seen: list[object] = []

    async def body() -> None:
        seen.append(asyncio.current_task())

    result = await invoke(manager_of(*behind(body)))
    await result.wait_for_background_tasks()
    assert seen == result.background_tasks
    assert seen != [task()]


async def test_errors_are_returned() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("mine")

    manager = manager_of(*behind(fail, Counter(), fail))
    result = await invoke(manager)
    errors = await result.wait_for_background_tasks()
    assert [(error.plugin_name, error.message) for error in errors] == [
        ("p0", "ValueError('mine')"),
        ("p2", "ValueError('mine')"),
    ]


async def test_disabled_after_an_error() -> None:
    async def fail() -> None:
        raise ValueError("mine")

    manager = manager_of(*behind(fail, on_error="disable"))
    await (await invoke(manager)).wait_for_background_tasks()
    assert manager._runtime_disabled == {"p0"}
    assert (await invoke(manager)).background_tasks == []


@pytest.mark.parametrize(("places", "most"), [(1, 1), (3, 3), (0, 8)])
async def test_pool_limit(monkeypatch: pytest.MonkeyPatch, places: int, most: int) -> None:
    limit_pool(monkeypatch, places)
    counter = Counter()
    result = await invoke(manager_of(*behind(*[counter] * 8)))
    assert await result.wait_for_background_tasks() == []
    assert (counter.most, counter.runs, counter.now) == (most, 8, 0)


@pytest.mark.parametrize("ends", ["return", "raise", "cancel", "time out"])
async def test_place_in_the_pool_is_given_back(monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    limit_pool(monkeypatch, 1)
    counter = Counter()

    async def first() -> None:
        await asyncio.sleep(0)
        if ends == "raise":
            raise ValueError
        if ends == "cancel":
            task().cancel()
        if ends != "return":
            await asyncio.sleep(30)

    result = await invoke(manager_of(*behind(first, counter, counter), timeout=0.005))
    await result.wait_for_background_tasks()
    assert counter.runs == 2


async def test_timeout_counts_from_the_plugins_own_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a place in the pool is not the plugin's time."""
    limit_pool(monkeypatch, 1)

    async def body() -> None:
        await asyncio.sleep(0.004)

    result = await invoke(manager_of(*behind(body, body, body, timeout_ms=10_000), timeout=0.005))
    assert await result.wait_for_background_tasks() == []


async def test_timeout() -> None:
    plugin = Suspended()
    result = await invoke(manager_of(*behind(plugin), timeout=0.005))
    (error,) = await result.wait_for_background_tasks()
    assert error.message == "TimeoutError()"
    assert plugin.journal.lines == ["CancelledError", "finally"]
    assert not result.background_tasks[0].cancelled()


async def test_cancelled_task() -> None:
    plugin = Suspended()
    result = await invoke(manager_of(*behind(plugin), timeout=30))
    await plugin.started.wait()
    (background,) = result.background_tasks
    background.cancel()
    assert await result.wait_for_background_tasks() == []
    assert background.cancelled()
    assert plugin.journal.lines == ["CancelledError", "finally"]


async def test_cancelled_before_it_began() -> None:
    counter = Counter()
    result = await invoke(manager_of(*behind(counter)))
    result.background_tasks[0].cancel()
    assert await result.wait_for_background_tasks() == []
    assert result.background_tasks[0].cancelled()
    assert counter.runs == 0


async def test_cancelled_in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_pool(monkeypatch, 1)
    plugin, counter = Suspended(), Counter()
    result = await invoke(manager_of(*behind(plugin, counter, counter)))
    await plugin.started.wait()
    await settle()
    result.background_tasks[1].cancel()
    plugin.go.set()
    assert await result.wait_for_background_tasks() == []
    assert counter.runs == 1


async def test_survives_the_cancellation_of_the_caller() -> None:
    plugin = Suspended()
    kept: list[PluginResult[Any]] = []

    async def caller() -> None:
        kept.append(await invoke(manager_of(*behind(plugin))))
        await asyncio.sleep(30)

    running = asyncio.create_task(caller())
    await plugin.started.wait()
    running.cancel()
    await asyncio.wait([running])
    plugin.go.set()
    assert await kept[0].wait_for_background_tasks() == []
    assert plugin.journal.lines == ["went on", "finally"]


async def test_started_after_a_denial_too() -> None:
    async def deny() -> Any:
        return DENIAL

    counter = Counter()
    result = await invoke(manager_of(Scripted(deny, "deny"), *behind(counter)))
    assert not result.continue_processing
    await result.wait_for_background_tasks()
    assert counter.runs == 1


async def test_runs_though_nobody_keeps_the_result() -> None:
    journal = Journal()

    async def body() -> None:
        await asyncio.sleep(0.001)
        journal("done")

    background = weakref.WeakSet((await invoke(manager_of(*behind(body)))).background_tasks)
    gc.collect()
    await asyncio.wait(list(background))
    assert journal.lines == ["done"]


@pytest.mark.parametrize("make", [KeyboardInterrupt, SystemExit])
def test_interrupts_stop_the_event_loop(make: type[BaseException]) -> None:
    """As in any task: Ctrl-C is not a plugin's failure."""

    async def body() -> None:
        raise make

    async def main() -> None:
        await (await invoke(manager_of(*behind(body, on_error="disable")))).wait_for_background_tasks()

    event_loop = asyncio.new_event_loop()
    try:
        with pytest.raises(make):
            event_loop.run_until_complete(main())
    finally:
        for left in asyncio.all_tasks(event_loop):
            left.cancel()
        event_loop.run_until_complete(asyncio.sleep(0.001))
        event_loop.close()


async def test_invokes_hooks_itself() -> None:
    counter = Counter()
    inner = manager_of(Scripted(counter), *behind(counter))

    async def body() -> None:
        await (await invoke(inner)).wait_for_background_tasks()

    result = await invoke(manager_of(*behind(body)))
    assert await result.wait_for_background_tasks() == []
    assert counter.runs == 2


def test_without_an_event_loop() -> None:
    coroutine = invoke(manager_of(*behind(Counter())))
    with pytest.raises((RuntimeError, PluginError), match="no running event loop"):
        coroutine.send(None)
