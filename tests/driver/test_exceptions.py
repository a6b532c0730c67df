"""What a plugin raises reaches the caller as it was raised: type, cause, context, traceback."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import Any

import pytest

from cpex.framework import PluginError, PluginResult, PluginViolation, PluginViolationError
from cpex.framework.models import PluginErrorModel

from .world import Remote, Scripted, Suspended, call, invoke, manager_of, own

pytestmark = pytest.mark.usefixtures("tidy")


class Odd(Exception):
    """An error that takes arguments of its own."""

    def __init__(self, code: int, *, detail: str) -> None:
        super().__init__(code)
        self.detail = detail


def failing_function() -> None:
    """Somewhere below the plugin."""
    try:
        raise KeyError("context")
    except KeyError as error:
        raise Odd(7, detail="d") from error


def frames(error: BaseException) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.mark.parametrize("suspend", [False, True])
async def test_type_cause_context_and_traceback(way: str, suspend: bool) -> None:
    async def body() -> None:
        if suspend:
            await asyncio.sleep(0.001)
        failing_function()

    with pytest.raises(Exception) as caught:
        await call(way, body, timeout=30)
    error = own(caught.value)
    assert type(error) is Odd
    assert (error.args, error.detail) == ((7,), "d")
    assert isinstance(error.__cause__, KeyError)
    assert error.__context__ is error.__cause__
    assert frames(error)[-3:] == ["tool_pre_invoke", "body", "failing_function"]


async def test_plugin_error_is_caused_by_what_was_raised() -> None:
    async def body() -> None:
        failing_function()

    with pytest.raises(PluginError) as caught:
        await invoke(manager_of(Scripted(body)))
    assert isinstance(caught.value.__cause__, Odd)
    assert caught.value.__context__ is caught.value.__cause__
    assert "invoke_hook" in frames(caught.value)


async def test_plugin_error_of_the_plugin_is_passed_on(way: str) -> None:
    raised = PluginError(PluginErrorModel(message="mine", plugin_name="p"))

    async def body() -> None:
        await asyncio.sleep(0)
        raise raised

    with pytest.raises(PluginError) as caught:
        await call(way, body)
    assert caught.value is raised
    assert "body" in frames(raised)


async def test_violation_error_of_the_plugin_is_passed_on(way: str) -> None:
    raised = PluginViolationError("mine", PluginViolation(reason="r", description="d", code="c"))

    async def body() -> None:
        await asyncio.sleep(0)
        raise raised

    with pytest.raises(PluginViolationError) as caught:
        await call(way, body, on_error="ignore")
    assert caught.value is raised
    assert "body" in frames(raised)


class Fatal(BaseException):
    """Not an `Exception`."""


@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("make", [Fatal, GeneratorExit, asyncio.CancelledError])
async def test_base_exceptions_are_passed_on(way: str, make: type[BaseException], suspend: bool) -> None:
    raised = make("mine")

    async def body() -> None:
        if suspend:
            await asyncio.sleep(0)
        raise raised

    with pytest.raises(make) as caught:
        await call(way, body, on_error="ignore")
    assert caught.value is raised
    assert "body" in frames(raised)


@pytest.mark.parametrize("mode", ["plain", "sequential", "transform", "audit", "alone", "concurrent"])
@pytest.mark.parametrize("make", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("suspend", [False, True])
def test_interrupts_stop_the_event_loop(mode: str, make: type[BaseException], suspend: bool) -> None:
    raised = make("mine")

    async def body() -> None:
        if suspend:
            await asyncio.sleep(0)
        raise raised

    event_loop = asyncio.new_event_loop()
    try:
        with pytest.raises(make) as caught:
            event_loop.run_until_complete(call(mode, body, on_error="ignore"))
        assert caught.value is raised
    finally:
        event_loop.run_until_complete(asyncio.sleep(0))
        event_loop.close()


@pytest.mark.parametrize("make", [StopIteration, StopAsyncIteration])
async def test_stop_iteration_is_no_answer(way: str, make: type[BaseException]) -> None:
    async def body() -> None:
        await asyncio.sleep(0)
        raise make(PluginResult())

    with pytest.raises(Exception) as caught:
        await call(way, body)
    error = own(caught.value)
    # CPython's own coroutines turn a StopIteration that leaves them into a RuntimeError.
    assert type(error) is (RuntimeError if make is StopIteration else StopAsyncIteration)


@pytest.mark.parametrize("make", [StopIteration, StopAsyncIteration, ValueError])
async def test_raised_by_the_call_itself(make: type[BaseException]) -> None:
    """A method that raises before there is anything to await."""

    def answer() -> None:
        raise make("at once")

    with pytest.raises(PluginError) as caught:
        await invoke(manager_of(Remote(answer)))
    assert isinstance(caught.value.__cause__, make)


async def test_context_of_an_error_raised_while_the_caller_handles_one(way: str) -> None:
    async def body() -> None:
        await asyncio.sleep(0)
        raise Odd(1, detail="")

    handled = ValueError("handled")
    try:
        raise handled
    except ValueError:
        with pytest.raises(Exception) as caught:
            await call(way, body)
    assert own(caught.value).__context__ is handled


async def test_plugin_sees_the_exception_its_caller_handles(way: str) -> None:
    seen: list[BaseException | None] = []

    async def body() -> None:
        seen.append(sys.exception())
        await asyncio.sleep(0)
        seen.append(sys.exception())

    handled = ValueError("handled")
    try:
        raise handled
    except ValueError:
        await call(way, body)
    assert seen == [handled, handled]
    assert sys.exception() is None


async def test_exception_groups(way: str) -> None:
    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(fail())

    async def fail() -> None:
        raise Odd(1, detail="")

    with pytest.raises(Exception) as caught:
        await call(way, body, timeout=30)
    error = own(caught.value)
    assert isinstance(error, ExceptionGroup)
    assert [type(inner) for inner in error.exceptions] == [Odd, Odd]


async def test_error_of_a_concurrent_plugin_cancels_its_siblings() -> None:
    """Unlike the published package, which leaves them running."""
    sibling = Suspended()

    async def body() -> None:
        await sibling.started.wait()
        failing_function()

    manager = manager_of(Scripted(body, "a", mode="concurrent"), Scripted(sibling, "b", mode="concurrent"))
    with pytest.raises(PluginError) as caught:
        await invoke(manager)
    assert isinstance(caught.value.__cause__, Odd)
    assert frames(caught.value.__cause__)[-2:] == ["body", "failing_function"]
    assert sibling.journal.lines == ["CancelledError", "finally"]


async def test_base_exception_of_a_concurrent_plugin() -> None:
    raised = Fatal("mine")
    sibling = Suspended()

    async def body() -> None:
        await sibling.started.wait()
        raise raised

    manager = manager_of(Scripted(body, "a", mode="concurrent"), Scripted(sibling, "b", mode="concurrent"))
    with pytest.raises(Fatal) as caught:
        await invoke(manager)
    assert caught.value is raised
    assert sibling.journal.lines == ["CancelledError", "finally"]


async def test_recursion_without_end_is_a_recursion_error(monkeypatch: pytest.MonkeyPatch) -> None:
    # At the limit the log call fails, too; that is said where nobody can catch it.
    unraisable: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda hook: unraisable.append(hook.exc_type))

    async def body() -> None:
        await invoke(manager)

    manager = manager_of(Scripted(body))
    with pytest.raises((PluginError, RecursionError)) as caught:
        await invoke(manager)
    assert isinstance(own(caught.value), RecursionError)
    assert set(unraisable) <= {RecursionError}


async def test_error_raised_in_cleanup(way: str) -> None:
    started = asyncio.Event()

    async def body() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            raise Odd(2, detail="cleanup")

    caller = asyncio.create_task(call(way, body, timeout=30))
    await started.wait()
    caller.cancel()
    with pytest.raises(Exception) as caught:
        await caller
    error: Any = own(caught.value)
    assert type(error) is Odd
    assert isinstance(error.__context__, asyncio.CancelledError)
