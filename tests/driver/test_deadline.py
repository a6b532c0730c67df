"""Deadlines: when they fire, when they don't, and how they nest with the timeouts of others."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from cpex.framework import PluginError, PluginResult

from .world import SERIAL_WAYS, Journal, Scripted, Suspended, call, invoke, manager_of, task, timers

pytestmark = pytest.mark.usefixtures("tidy")

SHORT, LONG = 0.005, 30


@pytest.fixture(params=[*SERIAL_WAYS, "concurrent"])
def limited(request: pytest.FixtureRequest) -> str:
    """The ways in which a plugin is awaited under a deadline."""
    return str(request.param)


def block(seconds: float) -> None:
    """Blocks the event loop, as a busy plugin does."""
    time.sleep(seconds)


@pytest.mark.parametrize("timeout", [SHORT, 0.5, None])
async def test_never_fires_for_a_plugin_that_does_not_suspend(limited: str, timeout: float | None) -> None:
    seen: list[object] = []

    async def body() -> None:
        block(SHORT * 2 if timeout == SHORT else 0)
        seen.extend(timers())

    assert isinstance(await call(limited, body, timeout=timeout), PluginResult)
    assert seen == []


async def test_fires_for_a_suspended_plugin(limited: str) -> None:
    plugin = Suspended()
    with pytest.raises(PluginError, match=f"exceeded {SHORT}s timeout") as caught:
        await call(limited, plugin, timeout=SHORT)
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert plugin.journal.lines == ["CancelledError", "finally"]
    assert task().cancelling() == 0
    await asyncio.sleep(0)


@pytest.mark.parametrize("on_error", ["ignore", "disable"])
async def test_next_plugin_runs_after_an_ignored_timeout(on_error: str) -> None:
    journal = Journal()

    async def second() -> None:
        await asyncio.sleep(0)
        journal("second")

    manager = manager_of(
        Scripted(Suspended(), "slow", priority=1, on_error=on_error),
        Scripted(second, "second", priority=2),
        timeout=SHORT,
    )
    assert (await invoke(manager)).continue_processing
    assert journal.lines == ["second"]
    assert manager._runtime_disabled == ({"slow"} if on_error == "disable" else set())


@pytest.mark.parametrize("timeout", [0, 0.0, -1])
async def test_no_time_at_all(limited: str, timeout: float) -> None:
    """As `asyncio.wait_for(…, 0)` did up to 3.11 and CPEX 0.1.4 does: the plugin is not started."""
    journal = Journal()

    async def body() -> None:
        journal("ran")

    with pytest.raises(PluginError, match=f"exceeded {timeout}s timeout"):
        await call(limited, body, timeout=timeout)
    assert journal.lines == []


async def test_none_is_no_limit(limited: str) -> None:
    seen: list[object] = []

    async def body() -> None:
        await asyncio.sleep(0)
        waiter = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(waiter.set_result, None)
        await waiter
        seen.extend(timers())

    await call(limited, body, timeout=None)
    assert seen == []


async def test_own_limit_is_shorter_than_the_managers(limited: str) -> None:
    with pytest.raises(PluginError, match="exceeded 0.005s timeout"):
        await call(limited, Suspended(), timeout=LONG, timeout_ms=5)


async def test_own_limit_is_longer_than_the_managers(limited: str) -> None:
    async def body() -> None:
        await asyncio.sleep(SHORT * 2)

    assert isinstance(await call(limited, body, timeout=SHORT, timeout_ms=30_000), PluginResult)


async def test_fires_in_a_busy_loop_of_bare_yields(limited: str) -> None:
    """Nothing but `sleep(0)`: the clock is looked at each time the plugin is resumed."""
    rounds = 0

    async def body() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    with pytest.raises(PluginError, match="timeout"):
        await call(limited, body, timeout=SHORT)
    assert rounds > 1
    assert task().cancelling() == 0


@pytest.mark.parametrize("mode", [way for way in SERIAL_WAYS if way != "alone"])
async def test_cancelled_from_outside_while_it_cleans_up(mode: str) -> None:
    """The time limit has stopped a loop of bare yields; then the caller gives up, and is not told of a timeout."""
    cleaning = asyncio.Event()

    async def body() -> None:
        try:
            while True:
                await asyncio.sleep(0)
        finally:
            cleaning.set()
            await asyncio.sleep(LONG)

    caller = asyncio.ensure_future(call(mode, body, timeout=SHORT, on_error="ignore"))
    await cleaning.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_time_spent_blocking_counts(limited: str) -> None:
    """The time is up when the plugin first suspends: its future gets no time at all."""
    reached: list[str] = []

    async def body() -> None:
        block(SHORT * 2)
        await asyncio.sleep(LONG)
        reached.append("woken")

    with pytest.raises(PluginError, match="timeout"):
        await call(limited, body, timeout=SHORT)
    assert reached == []


async def test_time_of_earlier_plugins_does_not_count() -> None:
    async def slow() -> None:
        await asyncio.sleep(SHORT * 2)

    async def brief() -> None:
        await asyncio.sleep(0)
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0))])

    manager = manager_of(
        Scripted(slow, "slow", priority=1, timeout_ms=30_000),
        Scripted(brief, "brief", priority=2, timeout_ms=1000),
        timeout=SHORT,
    )
    assert (await invoke(manager)).continue_processing


async def test_plugins_own_timeout_error_is_not_ours(limited: str) -> None:
    async def body() -> None:
        await asyncio.sleep(0.001)
        raise TimeoutError("mine")

    with pytest.raises(PluginError, match="mine"):
        await call(limited, body, timeout=LONG)


async def test_swallowed_timeout(limited: str) -> None:
    """As `asyncio.timeout`: who swallows the cancellation and returns has not timed out."""

    async def body() -> PluginResult[Any]:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            return PluginResult(metadata={"late": True})
        raise AssertionError

    result = await call(limited, body, timeout=SHORT)
    assert result.metadata == {"late": True}
    assert task().cancelling() == 0
    await asyncio.sleep(0)


async def test_timeout_turned_into_an_error(limited: str) -> None:
    async def body() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            raise ValueError("instead") from None

    with pytest.raises(PluginError, match="instead") as caught:
        await call(limited, body, timeout=SHORT)
    assert isinstance(caught.value.__cause__, ValueError)
    assert task().cancelling() == 0


async def test_slow_cleanup_after_a_timeout(limited: str) -> None:
    journal = Journal()

    async def body() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            await asyncio.sleep(0.001)
            journal("cleaned up")

    with pytest.raises(PluginError, match="timeout"):
        await call(limited, body, timeout=SHORT)
    assert journal.lines == ["cleaned up"]


async def test_timeout_inside_a_plugin_fires_first(way: str) -> None:
    journal = Journal()

    async def body() -> None:
        try:
            async with asyncio.timeout(SHORT):
                await asyncio.sleep(LONG)
        except TimeoutError:
            journal("inner")
        await asyncio.sleep(0)

    assert isinstance(await call(way, body, timeout=LONG), PluginResult)
    assert journal.lines == ["inner"]
    assert task().cancelling() == 0


async def test_deadline_fires_inside_the_plugins_own_timeout(limited: str) -> None:
    journal = Journal()

    async def body() -> None:
        try:
            async with asyncio.timeout(LONG):
                await asyncio.sleep(LONG)
        except TimeoutError:
            journal("inner")
        except asyncio.CancelledError:
            journal("cancelled")
            raise

    with pytest.raises(PluginError, match="timeout"):
        await call(limited, body, timeout=SHORT)
    assert journal.lines == ["cancelled"]
    assert task().cancelling() == 0


async def test_timeout_around_the_call_fires_first(way: str) -> None:
    plugin = Suspended()
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(SHORT):
            await call(way, plugin, timeout=LONG)
    assert not isinstance(caught.value, PluginError)
    assert plugin.journal.lines == ["CancelledError", "finally"]
    assert task().cancelling() == 0


async def test_deadline_fires_inside_a_timeout_around_the_call(limited: str) -> None:
    async with asyncio.timeout(LONG) as around:
        with pytest.raises(PluginError, match="timeout"):
            await call(limited, Suspended(), timeout=SHORT)
        await asyncio.sleep(0)
    assert not around.expired()
    assert task().cancelling() == 0


async def test_timeout_at_around_the_call_that_has_passed(way: str) -> None:
    plugin = Suspended()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout_at(asyncio.get_running_loop().time() - 1):
            await call(way, plugin, timeout=LONG)
    assert plugin.journal.lines == ["CancelledError", "finally"]
    assert task().cancelling() == 0


async def test_both_fire_in_the_same_turn(limited: str) -> None:
    """As two nested `asyncio.timeout`: the cancellation is the outer one's if that has fired, too."""
    plugin = Suspended()

    async def ring() -> None:
        await plugin.started.wait()
        block(SHORT * 2)

    ringer = asyncio.create_task(ring())
    with pytest.raises((TimeoutError, PluginError)) as caught:
        async with asyncio.timeout(SHORT):
            await call(limited, plugin, timeout=SHORT)
    await ringer
    assert plugin.journal.lines == ["CancelledError", "finally"]
    assert task().cancelling() == 0
    if limited != "concurrent":
        assert type(caught.value) is TimeoutError


async def test_cancelled_and_timed_out_in_the_same_turn(limited: str) -> None:
    """A cancellation from outside is never mistaken for a timeout."""
    plugin = Suspended()
    caller = asyncio.create_task(call(limited, plugin, timeout=SHORT))
    await plugin.started.wait()
    block(SHORT * 2)
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert plugin.journal.lines == ["CancelledError", "finally"]


async def test_nested_deadlines_inner_first() -> None:
    """A plugin that calls the hook of another manager: only the inner one is too slow."""
    inner = manager_of(Scripted(Suspended(), on_error="ignore"), timeout=SHORT)

    async def body() -> None:
        assert (await invoke(inner)).continue_processing
        await asyncio.sleep(0)

    assert (await invoke(manager_of(Scripted(body), timeout=LONG))).continue_processing
    assert task().cancelling() == 0


async def test_nested_deadlines_outer_first() -> None:
    """The outer deadline goes through the inner call as a cancellation."""
    plugin = Suspended()
    inner = manager_of(Scripted(plugin, on_error="ignore"), timeout=LONG)

    async def body() -> None:
        await invoke(inner)

    with pytest.raises(PluginError, match="exceeded 0.005s timeout"):
        await invoke(manager_of(Scripted(body), timeout=SHORT))
    assert plugin.journal.lines == ["CancelledError", "finally"]
    assert task().cancelling() == 0


async def test_called_within_a_cancelled_task(way: str) -> None:
    """Cleaning up after a cancellation may invoke hooks: the count of the task is not touched."""

    async def body() -> None:
        await asyncio.sleep(0.001)

    async def caller() -> int:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            await call(way, body, timeout=LONG)
        return task().cancelling()

    running = asyncio.create_task(caller())
    await asyncio.sleep(0)
    running.cancel()
    assert await running == 1


async def test_times_out_within_a_cancelled_task(limited: str) -> None:
    async def caller() -> int:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            with pytest.raises(PluginError, match="timeout"):
                await call(limited, Suspended(), timeout=SHORT)
        return task().cancelling()

    running = asyncio.create_task(caller())
    await asyncio.sleep(0)
    running.cancel()
    assert await running == 1


@pytest.mark.parametrize("timeout", [1e300, float("inf"), 10**20])
async def test_endless_limits(limited: str, timeout: float) -> None:
    async def body() -> None:
        await asyncio.sleep(0.001)

    assert isinstance(await call(limited, body, timeout=timeout), PluginResult)


@pytest.mark.parametrize("timeout", ["1", True, float("nan"), [], 1j])
def test_what_is_no_time(timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        manager_of(timeout=timeout)
