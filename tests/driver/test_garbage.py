"""Nothing outlives its use: cycles through the engine are collected, and calls leave no memory behind."""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
import types
import weakref
from collections.abc import Generator
from typing import Any

import pytest

from cpex.framework import PluginContext, PluginResult, PluginViolation

from .world import HOOK, PAYLOAD, Payload, Scripted, Suspended, collect, invoke, manager_of, request

MODES = ("sequential", "transform", "audit", "concurrent", "fire_and_forget")


class Keeper(Scripted):
    """Keeps whatever it is given."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(self.work, **fields)
        self.kept: list[Any] = []

    async def work(self) -> None:
        await asyncio.sleep(0)

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> Any:
        self.kept += [payload, context]
        return await super().tool_pre_invoke(payload, context)


@pytest.mark.parametrize("mode", MODES)
def test_manager_and_plugin(mode: str) -> None:
    """The plugin holds its manager, which has compiled a line-up of the plugin."""
    plugin = Keeper(mode=mode)
    manager = manager_of(plugin)
    plugin.kept.append(manager)
    asyncio.run(invoke(manager))
    watches: list[weakref.ref[Any]] = [weakref.ref(manager), weakref.ref(plugin)]
    del manager, plugin
    collect()
    assert [watch() for watch in watches] == [None, None]


@pytest.mark.parametrize("mode", MODES)
def test_result_context_and_plugin(mode: str) -> None:
    """The plugin keeps the results of the calls that it answered, read or not."""
    plugin = Keeper(mode=mode)
    manager = manager_of(plugin)
    for read in (False, True):
        result, table = asyncio.run(manager.invoke_hook(HOOK, PAYLOAD, request()))
        plugin.kept += [result, table, manager]
        if read:
            repr(result.executions)
            repr(result.report)
            repr(table)
    watches: list[weakref.ref[Any]] = [weakref.ref(manager), weakref.ref(plugin), weakref.ref(result)]
    del manager, plugin, result, table
    collect()
    assert [watch() for watch in watches] == [None] * 3


def test_errors_and_denials() -> None:
    plugin = Keeper()
    manager = manager_of(plugin)

    async def deny() -> Any:
        return PluginResult(continue_processing=False, violation=PluginViolation(reason="r", description="d", code="c"))

    async def fail() -> Any:
        raise ValueError("mine")

    for body in (deny, fail):
        plugin.body = body
        try:
            asyncio.run(invoke(manager, violations_as_exceptions=True))
        except Exception as error:
            plugin.kept += [error, error.__traceback__]
    watch = weakref.ref(plugin)
    del manager, plugin, deny, fail, body
    collect()
    assert watch() is None


@types.coroutine
def pause() -> Generator[Any, Any, None]:
    yield "paused"


def test_pending_call() -> None:
    """manager → plugin → coroutine of the caller → pending call → context → plugin."""
    plugin = Keeper()
    plugin.body = pause
    context = request()
    context.state["plugin"] = [plugin]
    context.metadata["plugin"] = plugin
    manager = manager_of(plugin)
    coroutine = manager.invoke_hook(HOOK, PAYLOAD, context)
    assert coroutine.send(None) == "paused"
    plugin.kept.append(coroutine)
    watches: list[weakref.ref[Any]] = [weakref.ref(each) for each in (manager, plugin, coroutine, context)]
    del manager, plugin, coroutine, context
    collect()
    assert [watch() for watch in watches] == [None] * 4


def test_pending_call_through_its_payload() -> None:
    class Holding(Payload):
        model_config = {"arbitrary_types_allowed": True}

        plugin: Any = None

    plugin = Keeper()
    plugin.body = pause
    coroutine = manager_of(plugin).invoke_hook(HOOK, Holding(plugin=plugin), request())
    coroutine.send(None)
    plugin.kept.append(coroutine)
    watch = weakref.ref(plugin)
    del plugin, coroutine
    collect()
    assert watch() is None


def test_pending_call_through_an_earlier_answer() -> None:
    """What an earlier plugin answered is kept for the result: payload and metadata."""

    class Holding(Payload):
        model_config = {"arbitrary_types_allowed": True}

        plugin: Any = None

    plugin = Keeper(priority=2)
    plugin.body = pause

    answers: list[Any] = [PluginResult(modified_payload=Holding(plugin=plugin), metadata={"plugin": plugin})]

    async def answer() -> Any:
        return answers.pop()

    earlier = Scripted(answer, "earlier", priority=1)
    coroutine = manager_of(earlier, plugin).invoke_hook(HOOK, PAYLOAD, request())
    assert coroutine.send(None) == "paused"
    plugin.kept.append(coroutine)
    watch = weakref.ref(plugin)
    del plugin, coroutine, earlier
    collect()
    assert watch() is None


@pytest.mark.parametrize("mode", ["sequential", "concurrent", "fire_and_forget"])
def test_loop_that_is_dropped_with_a_call_in_flight(mode: str) -> None:
    """Timers, tasks and the call hold each other; nothing of them is left."""
    plugin = Keeper(mode=mode)
    body = Suspended()
    plugin.body = body
    manager = manager_of(plugin, timeout=300)
    plugin.kept.append(manager)
    event_loop = asyncio.new_event_loop()
    event_loop.set_exception_handler(lambda *_: None)
    event_loop.create_task(invoke(manager))
    for _ in range(3):
        event_loop.run_until_complete(asyncio.sleep(0))
    assert body.started.is_set()
    event_loop.close()
    watch = weakref.ref(plugin)
    del plugin, manager, event_loop, body
    collect()
    assert watch() is None


def census() -> dict[str, int]:
    """How many objects of each type the collector knows."""
    collect()
    counts: dict[str, int] = {}
    for each in gc.get_objects():
        name = type(each).__qualname__
        counts[name] = counts.get(name, 0) + 1
    return counts


def grown(before: dict[str, int], after: dict[str, int], number: int) -> dict[str, int]:
    """Which types have a new object for every tenth call or more."""
    return {
        name: count - before.get(name, 0) for name, count in after.items() if count - before.get(name, 0) > number // 10
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ending", ["answer", "deny", "fail", "time out", "cancel"])
def test_no_object_is_left_behind(monkeypatch: pytest.MonkeyPatch, mode: str, ending: str) -> None:
    monkeypatch.setattr("cpex.framework.manager.logger.disabled", True)  # pytest keeps records
    number = 100

    async def body() -> Any:
        if ending == "fail":
            raise ValueError("mine")
        if ending == "deny":
            return PluginResult(continue_processing=False)
        await asyncio.sleep(30 if ending in ("time out", "cancel") else 0)

    manager = manager_of(Scripted(body, mode=mode, on_error="ignore"), timeout=0.001 if ending == "time out" else 300)

    async def once() -> None:
        result, table = await manager.invoke_hook(HOOK, PAYLOAD, request())
        repr((result, result.report, table))
        await result.wait_for_background_tasks()

    async def main() -> None:
        callers = [asyncio.create_task(once()) for _ in range(number)]
        await asyncio.sleep(0)
        if ending == "cancel":
            for caller in callers:
                caller.cancel()
        await asyncio.wait(callers)

    asyncio.run(main())
    before = census()
    asyncio.run(main())
    assert grown(before, census(), number) == {}


async def test_reference_counts() -> None:
    """What is given to a call is held as often after it as before."""

    class Token:
        pass

    token = Token()
    context = request()
    context.state["token"] = context.metadata["token"] = token
    payload = Payload()
    plugins = [Scripted(nap, mode, mode=mode) for mode in MODES]
    manager = manager_of(*plugins, timeout=300)
    hook = "".join(["tool_", "pre_invoke"])

    async def once() -> None:
        result, table = await manager.invoke_hook(hook, payload, context)
        repr((result, table))
        await result.wait_for_background_tasks()

    def counts() -> list[int]:
        collect()
        shared = (token, context, payload, hook, manager.executor, None.__class__, *plugins)
        return [sys.getrefcount(each) for each in shared]

    await once()
    before = counts()
    for _ in range(50):
        await once()
    assert counts() == before


async def nap() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(("suspend", "number"), [(False, 200_000), (True, 20_000)])
async def test_memory_does_not_grow(suspend: bool, number: int) -> None:
    async def nothing() -> None:
        pass

    manager = manager_of(Scripted(nap if suspend else nothing), timeout=300)
    context = request()

    async def calls(number: int) -> None:
        for _ in range(number):
            await manager.invoke_hook(HOOK, PAYLOAD, context)

    await calls(1000)
    before = resident_pages()
    await calls(number)
    collect()
    # 5 MB: less than 30 bytes a call.
    assert (resident_pages() - before) * 4096 < 5_000_000
    tracemalloc.start()
    try:
        await calls(100)
        collect()
        start, _ = tracemalloc.get_traced_memory()
        await calls(2000)
        collect()
        end, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert end - start < 20_000


def resident_pages() -> int:
    """The resident set, in pages; always 0 where there is no /proc."""
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1])
    except OSError:
        return 0
