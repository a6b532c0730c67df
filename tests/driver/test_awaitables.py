"""Whatever Python can await, a plugin may return; what it can't is the plugin's failure."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any
from unittest.mock import AsyncMock

import pytest

from cpex.framework import PluginError, PluginResult

from .world import PAYLOAD, Remote, Scripted, Suspended, invoke, manager_of, task

pytestmark = pytest.mark.usefixtures("tidy")

ANSWER = PluginResult[Any](metadata={"by": "p"})


@pytest.fixture(params=["sequential", "audit", "concurrent", "fire_and_forget"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def answer_of(mode: str, answer: Callable[[], Any], **fields: Any) -> PluginResult[Any]:
    """What a plugin that returns this comes to; an error of a background task is raised."""
    result = await invoke(manager_of(Remote(answer, mode=mode, **fields)))
    for error in await result.wait_for_background_tasks():
        raise PluginError(error)
    return result


class Awaitable:
    """Waits for a future of the loop, by hand."""

    def __init__(self, steps: Callable[[], Iterator[Any]]) -> None:
        self.steps = steps

    def __await__(self) -> Iterator[Any]:
        return self.steps()


def resolved_future() -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_result(ANSWER)
    return future


def pending_future() -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, ANSWER)
    return future


def generator() -> Generator[Any, Any, Any]:
    yield from pending_future()
    return ANSWER


@types.coroutine
def generator_based() -> Generator[Any, Any, Any]:
    yield from pending_future()
    return ANSWER


async def coroutine() -> Any:
    await asyncio.sleep(0)
    return ANSWER


@pytest.mark.parametrize(
    "answer",
    [
        coroutine,
        resolved_future,
        pending_future,
        lambda: Awaitable(generator),
        lambda: Awaitable(lambda: iter(pending_future())),
        lambda: asyncio.create_task(coroutine()),
        generator_based,
        partial(coroutine),
        AsyncMock(return_value=ANSWER),
    ],
    ids=["coroutine", "resolved", "future", "__await__", "iterator", "task", "types.coroutine", "partial", "AsyncMock"],
)
async def test_awaitables(mode: str, answer: Callable[[], Any]) -> None:
    result = await answer_of(mode, answer)
    assert result.continue_processing
    assert result.metadata == ({} if mode == "fire_and_forget" else {"by": "p"})


class Deceptive:
    """Says it can be awaited."""

    __await__ = None


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: ANSWER, r"PluginResult.* can't be used in 'await' expression"),
        (lambda: None, "NoneType can't be used in 'await' expression"),
        (lambda: generator(), "generator can't be used in 'await' expression"),
        (lambda: Awaitable(lambda: 7), "non-iterator of type 'int'"),  # type: ignore[arg-type, return-value]
        (lambda: Awaitable(lambda: None), "non-iterator of type 'NoneType'"),  # type: ignore[arg-type, return-value]
        (lambda: Awaitable(generator_based), "returned a coroutine"),
        (Deceptive, "TypeError"),
    ],
    ids=["result", "None", "generator", "int", "returns None", "types.coroutine", "__await__ = None"],
)
async def test_not_awaitable(mode: str, answer: Callable[[], Any], reason: str) -> None:
    with pytest.raises(PluginError, match=reason) as caught:
        await answer_of(mode, answer)
    assert caught.value.error is not None
    assert caught.value.error.plugin_name == "p"


async def test_await_that_returns_a_coroutine_is_refused(mode: str) -> None:
    """As CPython does: `__await__() returned a coroutine`."""
    inner = coroutine()
    try:
        with pytest.raises(PluginError, match="coroutine"):
            await answer_of(mode, lambda: Awaitable(lambda: inner))  # type: ignore[arg-type, return-value]
    finally:
        inner.close()


async def test_yields_what_no_event_loop_knows(mode: str) -> None:
    """asyncio throws a RuntimeError into the task; the plugin gets it where it yielded."""
    seen: list[BaseException] = []

    def steps() -> Generator[Any, Any, Any]:
        try:
            yield "what is this"
        except RuntimeError as error:
            seen.append(error)
        return ANSWER

    result = await answer_of(mode, lambda: Awaitable(steps))
    assert "bad yield" in str(seen[0])
    assert result.continue_processing


async def test_future_that_fails(mode: str) -> None:
    def failed() -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_exception(KeyError("mine"))
        return future

    with pytest.raises(PluginError, match="KeyError"):
        await answer_of(mode, failed)


async def test_cancelled_future() -> None:
    def cancelled() -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.cancel()
        return future

    with pytest.raises(asyncio.CancelledError):
        await answer_of("sequential", cancelled)
    assert task().cancelling() == 0


async def test_cancelling_the_caller_cancels_the_future() -> None:
    futures: list[asyncio.Future[Any]] = []

    def answer() -> asyncio.Future[Any]:
        futures.append(asyncio.get_running_loop().create_future())
        return futures[0]

    caller = asyncio.create_task(answer_of("sequential", answer))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait([caller])
    assert futures[0].cancelled()


async def test_future_without_an_end_times_out(mode: str) -> None:
    def answer() -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    with pytest.raises(PluginError, match="timeout|TimeoutError"):
        await answer_of(mode, answer, timeout_ms=2)


async def test_task_returned_by_a_plugin_may_be_shared() -> None:
    """Two hooks await the same task; a cancelled one of them cancels it for both, as `await task` does."""
    plugin = Suspended()
    shared = asyncio.create_task(plugin())
    manager = manager_of(Scripted(lambda: shared))
    one, two = asyncio.create_task(invoke(manager)), asyncio.create_task(invoke(manager))
    await plugin.started.wait()
    plugin.go.set()
    assert [(await each).continue_processing for each in (one, two)] == [True, True]


async def test_mock_method_on_an_instance() -> None:
    plugin = Scripted(Suspended())
    mock = AsyncMock(return_value=ANSWER)
    plugin.tool_pre_invoke = mock  # type: ignore[method-assign]
    result = await invoke(manager_of(plugin))
    assert result.metadata == {"by": "p"}
    mock.assert_awaited_once()
    assert mock.await_args is not None
    assert mock.await_args.args[0] is PAYLOAD


async def test_partial_on_an_instance() -> None:
    async def answer(word: str, payload: Any, context: Any) -> Any:
        await asyncio.sleep(0)
        return PluginResult(metadata={"word": word})

    plugin = Scripted(Suspended())
    plugin.tool_pre_invoke = partial(answer, "w")  # type: ignore[method-assign]
    assert (await invoke(manager_of(plugin))).metadata == {"word": "w"}


async def test_unawaited_coroutine_of_a_plugin_that_fails_late(recwarn: pytest.WarningsRecorder) -> None:
    """A plugin that is given no time has its coroutine closed, without a warning that it was never awaited."""
    manager = manager_of(Scripted(Suspended(), on_error="ignore"), timeout=0)
    assert (await invoke(manager)).continue_processing
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
