"""Context variables: a serial plugin lives in its caller's context, the others in a copy."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from .world import Scripted, call, invoke, manager_of, settle

pytestmark = pytest.mark.usefixtures("tidy")

WORD = contextvars.ContextVar("WORD", default="unset")


@pytest.mark.parametrize("suspend", [False, True])
async def test_both_ways(way: str, suspend: bool) -> None:
    seen: list[str] = []

    async def body() -> None:
        seen.append(WORD.get())
        if suspend:
            await asyncio.sleep(0.001)
        WORD.set("plugin")

    WORD.set("caller")
    await call(way, body, timeout=30)
    assert seen == ["caller"]
    assert WORD.get() == "plugin"


async def test_token_of_the_caller_is_reset_by_the_plugin(way: str) -> None:
    token = WORD.set("caller")

    async def body() -> None:
        await asyncio.sleep(0)
        WORD.reset(token)

    await call(way, body)
    assert WORD.get() == "unset"


async def test_from_plugin_to_plugin() -> None:
    seen: list[str] = []

    async def first() -> None:
        WORD.set("first")
        await asyncio.sleep(0)

    async def second() -> None:
        seen.append(WORD.get())

    await invoke(manager_of(Scripted(first, "a", priority=1), Scripted(second, "b", priority=2)))
    assert seen == ["first"]


@pytest.mark.parametrize("mode", ["concurrent", "fire_and_forget"])
async def test_tasks_get_copies(mode: str) -> None:
    seen: list[str] = []

    async def body() -> None:
        seen.append(WORD.get())
        WORD.set("plugin")
        await settle(2)
        seen.append(WORD.get())

    WORD.set("caller")
    result = await invoke(manager_of(Scripted(body, "a", mode=mode), Scripted(body, "b", mode=mode)))
    await result.wait_for_background_tasks()
    assert seen == ["caller", "caller", "plugin", "plugin"]
    assert WORD.get() == "caller"


async def test_background_sees_what_serial_plugins_set() -> None:
    seen: list[str] = []

    async def serial() -> None:
        WORD.set("serial")

    async def background() -> None:
        seen.append(WORD.get())

    result = await invoke(manager_of(Scripted(serial, "a"), Scripted(background, "b", mode="fire_and_forget")))
    WORD.set("later")
    await result.wait_for_background_tasks()
    assert seen == ["serial"]


async def test_callers_do_not_see_each_others() -> None:
    async def body() -> None:
        before = WORD.get()
        await settle(2)
        assert WORD.get() == before

    manager = manager_of(Scripted(body))

    async def caller(word: str) -> None:
        WORD.set(word)
        assert (await invoke(manager)).continue_processing
        assert WORD.get() == word

    await asyncio.gather(*[caller(str(at)) for at in range(20)])


async def test_set_before_a_cancellation(way: str) -> None:
    async def body() -> None:
        WORD.set("plugin")
        await asyncio.sleep(30)

    async def caller() -> str:
        try:
            await call(way, body)
        except asyncio.CancelledError:
            return WORD.get()
        return "not cancelled"

    running = asyncio.create_task(caller())
    await asyncio.sleep(0)
    running.cancel()
    assert await running == "plugin"
