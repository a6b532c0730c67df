"""The coroutine without asyncio: stepped, thrown into, closed, dropped, awaited twice."""

from __future__ import annotations

import asyncio
import gc
import types
import warnings
import weakref
from collections.abc import Coroutine, Generator
from typing import Any

import pytest

from cpex import _core
from cpex.framework import PluginResult

from .world import HOOK, PAYLOAD, Journal, Scripted, Suspended, call, invoke, manager_of, own, request, settle


@types.coroutine
def ask(question: Any) -> Generator[Any, Any, Any]:
    """Yields a question to whoever drives the coroutine, and returns the answer."""
    return (yield question)


def finish(coroutine: Coroutine[Any, Any, Any], value: Any = None) -> Any:
    """Drives a coroutine that does not suspend again."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(value)
    return ended.value.value


def test_to_the_end_without_an_event_loop(way: str) -> None:
    async def body() -> None:
        pass

    assert isinstance(finish(call(way, body, timeout=30)), PluginResult)


def test_questions_and_answers(way: str) -> None:
    """What is sent reaches the plugin, as a driver of its own kind (trio, curio) needs."""
    journal = Journal()

    async def body() -> None:
        journal(await ask("one"))
        journal(await ask("two"))

    coroutine = call(way, body, timeout=30)
    assert coroutine.send(None) == "one"
    assert coroutine.send("first") == "two"
    assert isinstance(finish(coroutine, "second"), PluginResult)
    assert journal.lines == ["first", "second"]


def test_bare_yields(way: str) -> None:
    async def body() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    coroutine = call(way, body, timeout=30)
    assert [coroutine.send(None), coroutine.send(None)] == [None, None]
    assert isinstance(finish(coroutine), PluginResult)


@pytest.mark.parametrize("make", [KeyError, KeyboardInterrupt, asyncio.CancelledError])
def test_throw(way: str, make: type[BaseException]) -> None:
    journal = Journal()

    async def body() -> None:
        try:
            await ask("?")
        except BaseException as error:
            journal(error)
            raise
        finally:
            journal("finally")

    coroutine = call(way, body)
    coroutine.send(None)
    thrown = make("mine")
    with pytest.raises(BaseException) as caught:
        coroutine.throw(thrown)
    assert own(caught.value) is thrown
    assert journal.lines == [thrown, "finally"]


def test_throw_that_the_plugin_answers(way: str) -> None:
    async def body() -> Any:
        try:
            await ask("?")
        except KeyError:
            return PluginResult(metadata={"caught": True})

    coroutine = call(way, body)
    coroutine.send(None)
    with pytest.raises(StopIteration) as ended:
        coroutine.throw(KeyError("mine"))
    assert ended.value.value.metadata == {"caught": True}


def test_throw_that_the_plugin_meets_with_a_question(way: str) -> None:
    async def body() -> None:
        try:
            await ask("one")
        except KeyError:
            await ask("two")

    coroutine = call(way, body)
    coroutine.send(None)
    assert coroutine.throw(KeyError("mine")) == "two"
    assert isinstance(finish(coroutine), PluginResult)


@pytest.mark.filterwarnings("ignore:the .* signature of throw:DeprecationWarning")
def test_throw_with_three_arguments(way: str) -> None:
    async def body() -> None:
        await ask("?")

    coroutine: Any = call(way, body)
    coroutine.send(None)
    with pytest.raises(Exception) as caught:
        coroutine.throw(KeyError, "mine", None)
    error = own(caught.value)
    assert isinstance(error, KeyError)
    assert error.args == ("mine",)


def test_close_runs_finally(way: str) -> None:
    journal = Journal()

    async def body() -> None:
        try:
            await ask("?")
        except GeneratorExit:
            journal("GeneratorExit")
            raise
        finally:
            journal("finally")

    coroutine = call(way, body)
    coroutine.send(None)
    coroutine.close()
    assert journal.lines == ["GeneratorExit", "finally"]
    coroutine.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)


def test_close_before_the_start(way: str) -> None:
    journal = Journal()

    async def body() -> None:
        journal("ran")

    call(way, body).close()
    assert journal.lines == []


def test_close_that_the_plugin_ignores(way: str) -> None:
    async def body() -> None:
        try:
            await ask("?")
        except GeneratorExit:
            await ask("what?")

    coroutine = call(way, body)
    coroutine.send(None)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        coroutine.close()


def test_close_during_which_the_plugin_fails(way: str) -> None:
    async def body() -> None:
        try:
            await ask("?")
        finally:
            raise KeyError("cleanup")

    coroutine = call(way, body)
    coroutine.send(None)
    with pytest.raises(KeyError, match="cleanup"):
        coroutine.close()


def test_dropped_half_way(way: str) -> None:
    journal = Journal()

    async def body() -> None:
        try:
            await ask("?")
        finally:
            journal("finally")

    coroutine = call(way, body)
    coroutine.send(None)
    del coroutine
    gc.collect()
    assert journal.lines == ["finally"]


def test_never_awaited_warns_once_and_leaks_nothing() -> None:
    async def body() -> None:
        pass

    manager = manager_of(Scripted(body))
    watch = weakref.ref(manager)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        coroutine = manager.invoke_hook(HOOK, PAYLOAD, request())
        del coroutine
        gc.collect()
    assert [str(warning.message) for warning in caught] == ["coroutine 'PluginManager.invoke_hook' was never awaited"]
    caught.clear()  # a warning holds the coroutine
    del manager
    gc.collect()
    assert watch() is None


def test_awaited_twice(way: str) -> None:
    async def body() -> None:
        pass

    coroutine = call(way, body)
    finish(coroutine)
    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)


async def test_awaited_from_two_tasks(way: str) -> None:
    plugin = Suspended()
    coroutine = call(way, plugin)

    async def wait() -> Any:
        return await coroutine

    first = asyncio.create_task(wait())
    await plugin.started.wait()
    with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
        await wait()
    plugin.go.set()
    assert isinstance(await first, PluginResult)


def begin(plugin: Scripted) -> Any:
    """The engine's own awaitable, which `invoke_hook` awaits once."""
    manager = manager_of(plugin)
    refs = manager._registry.get_hook_refs_for_hook(HOOK)
    return manager.executor._begin(refs, PAYLOAD, request(), HOOK, None, False, None)


async def test_hook_call_awaited_twice() -> None:
    async def body() -> None:
        await asyncio.sleep(0)

    hook_call = begin(Scripted(body))
    assert type(hook_call) is _core.HookCall
    await hook_call
    assert hook_call.result()[0].continue_processing
    with pytest.raises(RuntimeError, match="hook call has no result"):
        hook_call.result()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited hook call"):
        await hook_call
    hook_call.close()
    with pytest.raises(RuntimeError, match="cannot reuse already awaited hook call"):
        hook_call.throw(KeyError("mine"))


async def test_hook_call_stepped_from_within() -> None:
    """A plugin that gets hold of the call it runs in."""
    refusals: list[str] = []
    held: list[Any] = []

    async def body() -> None:
        await asyncio.sleep(0)
        for meddle in (lambda: held[0].send(None), held[0].close, lambda: held[0].throw(KeyError("mine"))):
            try:
                meddle()
            except RuntimeError as error:
                refusals.append(str(error))
        gc.collect()

    held.append(begin(Scripted(body)))
    await held[0]
    assert held[0].result()[0].continue_processing
    assert refusals == ["hook call is already being awaited"] * 3


async def test_hook_call_dropped() -> None:
    """The engine's own awaitable, dropped without `close()`: nothing of it goes on."""
    plugin = Suspended()
    hook_call = begin(Scripted(plugin))
    assert plugin.started.is_set()
    del hook_call
    gc.collect()
    plugin.go.set()
    await settle()
    assert plugin.journal.lines == ["GeneratorExit", "finally"]


async def test_hook_call_with_a_deadline_dropped() -> None:
    """An alarm that nobody waits for must not cancel the task that made it."""
    hook_call = begin(Scripted(Suspended(), timeout_ms=2))
    assert type(hook_call) is _core.HookCall
    del hook_call
    gc.collect()
    await asyncio.sleep(0.01)


async def test_hook_call_is_no_argument_of_throw() -> None:
    hook_call = begin(Scripted(Suspended()))
    with pytest.raises(TypeError):
        hook_call.throw(7)
    hook_call.close()


def test_throw_into_a_concurrent_call_is_never_an_answer() -> None:
    """A StopIteration that is thrown in must not be taken for the result."""

    async def main() -> None:
        coroutine = invoke(manager_of(Scripted(Suspended(), mode="concurrent")))
        coroutine.send(None)
        await settle()
        with pytest.raises(BaseException) as caught:
            step = coroutine.throw(StopIteration("forged"))
            while True:
                await asyncio.wait([step])
                step._asyncio_future_blocking = False
                step = coroutine.send(None)
        assert isinstance(caught.value, RuntimeError)

    asyncio.run(main())
