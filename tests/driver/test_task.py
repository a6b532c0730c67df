"""A plugin runs on the caller's own task: identity, cancellation, and how asyncio's tools see the call."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from typing import Any
from unittest.mock import AsyncMock

import pytest

from cpex.framework import PluginManager, PluginResult

from .world import (
    HOOK,
    PAYLOAD,
    SERIAL_WAYS,
    Journal,
    Scripted,
    Suspended,
    call,
    invoke,
    manager_of,
    own,
    request,
    task,
)

pytestmark = pytest.mark.usefixtures("tidy")


async def test_current_task_is_the_callers(way: str) -> None:
    seen: list[object] = []

    async def body() -> None:
        seen.append(asyncio.current_task())
        await asyncio.sleep(0)
        seen.append(asyncio.current_task())
        await asyncio.sleep(0.001)
        seen.append(asyncio.current_task())

    await call(way, body)
    assert seen == [task()] * 3


async def test_no_task_is_made(way: str) -> None:
    before = asyncio.all_tasks()
    seen: list[set[asyncio.Task[Any]]] = []

    async def body() -> None:
        await asyncio.sleep(0)
        seen.append(asyncio.all_tasks())

    await call(way, body)
    assert seen == [before]


@pytest.mark.parametrize("suspensions", [0, 1, 5])
async def test_suspends_exactly_as_often_as_the_plugin(way: str, suspensions: int) -> None:
    async def body() -> None:
        for _ in range(suspensions):
            await asyncio.sleep(0)

    turns: list[int] = []

    async def count() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    counter = asyncio.create_task(count())
    await call(way, body)
    counter.cancel()
    assert len(turns) == suspensions
    await asyncio.wait([counter])


async def test_cancellation_reaches_the_plugin(way: str) -> None:
    plugin = Suspended()
    caller = asyncio.create_task(call(way, plugin))
    await plugin.started.wait()
    caller.cancel("because")
    with pytest.raises(asyncio.CancelledError, match="because"):
        await caller
    assert plugin.journal.lines == ["CancelledError", "finally"]
    assert caller.cancelled()
    assert caller.cancelling() == 1


async def test_counts_after_a_caught_cancellation(way: str) -> None:
    plugin = Suspended()

    async def catch() -> tuple[int, int, int]:
        try:
            await call(way, plugin, timeout=30)
        except asyncio.CancelledError:
            before = task().cancelling()
            after = task().uncancel()
            await asyncio.sleep(0)
            return before, after, task().cancelling()
        raise AssertionError("not cancelled")

    caller = asyncio.create_task(catch())
    await plugin.started.wait()
    caller.cancel()
    assert await caller == (1, 0, 0)


async def test_cancelled_twice(way: str) -> None:
    journal = Journal()
    started = asyncio.Event()

    async def body() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError as first:
            journal(str(first))
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError as second:
                journal(str(second))
                raise

    caller = asyncio.create_task(call(way, body, timeout=30))
    await started.wait()
    caller.cancel("one")
    await asyncio.sleep(0)
    caller.cancel("two")
    with pytest.raises(asyncio.CancelledError, match="two"):
        await caller
    assert journal.lines == ["one", "two"]
    assert caller.cancelling() == 2


async def test_swallowed_cancellation(way: str) -> None:
    started = asyncio.Event()

    async def body() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    caller = asyncio.create_task(call(way, body, timeout=30))
    await started.wait()
    caller.cancel()
    assert isinstance(await caller, PluginResult)
    assert caller.cancelling() == 1


async def test_delayed_cancellation(way: str) -> None:
    journal = Journal()
    started = asyncio.Event()

    async def body() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.001)
            journal("cleaned up")

    caller = asyncio.create_task(call(way, body))
    await started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert journal.lines == ["cleaned up"]


async def test_cancellation_turned_into_an_error(way: str) -> None:
    started = asyncio.Event()

    async def body() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError as error:
            raise ValueError("instead") from error

    caller = asyncio.create_task(call(way, body))
    await started.wait()
    caller.cancel()
    with pytest.raises(Exception) as caught:
        await caller
    error = own(caught.value)
    assert isinstance(error, ValueError)
    assert isinstance(error.__cause__, asyncio.CancelledError)
    assert caller.cancelling() == 1


async def test_plugin_raises_cancelled_error_itself(way: str) -> None:
    raised = asyncio.CancelledError("mine")

    async def body() -> None:
        raise raised

    with pytest.raises(asyncio.CancelledError) as caught:
        await call(way, body, on_error="ignore")
    assert caught.value is raised
    assert task().cancelling() == 0


async def test_plugin_cancels_its_own_task(way: str) -> None:
    journal = Journal()

    async def body() -> None:
        task().cancel()
        journal("goes on")
        await asyncio.sleep(0)
        journal("never")

    caller = asyncio.create_task(call(way, body))
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert journal.lines == ["goes on"]


async def test_plugin_that_does_not_suspend_leaves_a_cancellation_to_the_caller(way: str) -> None:
    async def body() -> None:
        task().cancel()

    async def caller() -> str:
        await call(way, body)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return "cancelled afterwards"
        return "not at all"

    assert await asyncio.create_task(caller()) == "cancelled afterwards"


async def test_nothing_keeps_the_locals_of_a_cancelled_plugin(way: str) -> None:
    class Thing:
        pass

    held: list[weakref.ref[Thing]] = []
    started = asyncio.Event()

    async def body() -> None:
        thing = Thing()
        held.append(weakref.ref(thing))
        started.set()
        await asyncio.sleep(30)
        del thing

    caller = asyncio.create_task(call(way, body, timeout=30))
    await started.wait()
    caller.cancel()
    await asyncio.wait([caller])
    del caller
    assert held[0]() is None


@pytest.mark.parametrize("wrap", ["create_task", "gather", "wait_for", "shield", "TaskGroup", "timeout"])
async def test_under_the_tools_of_asyncio(way: str, wrap: str) -> None:
    async def body() -> None:
        await asyncio.sleep(0)

    coroutine = call(way, body, timeout=30)
    result: Any
    if wrap == "create_task":
        result = await asyncio.create_task(coroutine)
    elif wrap == "gather":
        result, other = await asyncio.gather(coroutine, call(way, body))
        assert isinstance(other, PluginResult)
    elif wrap == "wait_for":
        result = await asyncio.wait_for(coroutine, 30)
    elif wrap == "shield":
        result = await asyncio.shield(coroutine)
    elif wrap == "TaskGroup":
        async with asyncio.TaskGroup() as group:
            made = group.create_task(coroutine)
        result = made.result()
    else:
        async with asyncio.timeout(30):
            result = await coroutine
    assert isinstance(result, PluginResult)


async def test_shielded_call_survives_its_caller(way: str) -> None:
    plugin = Suspended()
    inner = asyncio.create_task(call(way, plugin, timeout=30))

    async def outer() -> None:
        await asyncio.shield(inner)

    caller = asyncio.create_task(outer())
    await plugin.started.wait()
    caller.cancel()
    await asyncio.wait([caller])
    plugin.go.set()
    assert isinstance(await inner, PluginResult)
    assert plugin.journal.lines == ["went on", "finally"]


async def test_failing_sibling_in_a_task_group(way: str) -> None:
    plugin = Suspended()

    async def fail() -> None:
        await plugin.started.wait()
        raise ValueError("sibling")

    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(call(way, plugin, timeout=30))
            group.create_task(fail())
    assert [str(error) for error in caught.value.exceptions] == ["sibling"]
    assert plugin.journal.lines == ["CancelledError", "finally"]


async def test_task_group_inside_a_plugin(way: str) -> None:
    journal = Journal()

    async def child(name: str) -> None:
        await asyncio.sleep(0)
        journal(name)

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child("a"))
            group.create_task(child("b"))

    await call(way, body, timeout=30)
    assert journal.lines == ["a", "b"]


async def test_failing_task_group_inside_a_plugin(way: str) -> None:
    """The group cancels the parent, which is the caller's task, and uncancels it again."""

    async def fail() -> None:
        raise ValueError("child")

    async def body() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                await asyncio.sleep(30)
        except* ValueError:
            pass

    assert isinstance(await call(way, body, timeout=30), PluginResult)
    assert task().cancelling() == 0
    await asyncio.sleep(0)


def test_invoke_hook_is_a_coroutine_function() -> None:
    manager = manager_of()
    assert inspect.iscoroutinefunction(manager.invoke_hook)
    assert inspect.iscoroutinefunction(manager.invoke_hook_for_plugin)
    assert inspect.iscoroutinefunction(PluginManager.invoke_hook)


async def test_manager_can_be_mocked_by_spec() -> None:
    mock = AsyncMock(spec=PluginManager)
    mock.invoke_hook.return_value = (PluginResult(), None)
    result, table = await mock.invoke_hook(HOOK, PAYLOAD, request())
    assert (result, table) == (PluginResult(), None)
    mock.invoke_hook.assert_awaited_once()


@pytest.mark.parametrize("mode", SERIAL_WAYS[:-1])
async def test_stack_of_a_suspended_call_reaches_the_manager(mode: str) -> None:
    """`Task.get_stack()` shows the frame of `invoke`; plain Python shows no more for a coroutine that awaits."""
    plugin = Suspended()
    caller = asyncio.create_task(invoke(manager_of(Scripted(plugin, mode=mode))))
    await plugin.started.wait()
    assert [frame.f_code.co_name for frame in caller.get_stack()] == ["invoke"]
    assert "invoke" in repr(caller)
    plugin.go.set()
    await caller
