"""Every kind of event loop, and several at once."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cpex.framework import PluginError, PluginResult

from .world import WAYS, Journal, Scripted, Suspended, call, invoke, manager_of, settle

MODES = ("sequential", "transform", "audit", "concurrent", "fire_and_forget")


async def nap() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0.001)


async def everything(way: str) -> None:
    """Answers, deadlines and cancellations, for a loop that is not asyncio's own."""
    assert isinstance(await call(way, nap, timeout=30), PluginResult)
    plugin = Suspended()
    caller = asyncio.create_task(call(way, plugin, timeout=30))
    await plugin.started.wait()
    caller.cancel()
    await asyncio.wait([caller])
    assert caller.cancelled()
    assert plugin.journal.lines == ["CancelledError", "finally"]
    if way != "plain":
        with pytest.raises(PluginError, match="timeout"):
            await call(way, Suspended(), timeout=0.005)
        current = asyncio.current_task()
        assert current is not None
        assert current.cancelling() == 0


async def all_modes() -> None:
    """A plugin of every mode in one pipeline."""
    journal = Journal()

    def writing(mode: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def body() -> None:
            await nap()
            journal(mode)

        return body

    manager = manager_of(*[Scripted(writing(mode), mode, mode=mode) for mode in MODES], timeout=30)
    result = await invoke(manager)
    assert await result.wait_for_background_tasks() == []
    assert sorted(journal.lines) == sorted(MODES)


def run(main: Coroutine[Any, Any, Any], *, debug: bool | None = None, factory: Any = None) -> list[dict[str, Any]]:
    """Runs this on a loop of its own, and returns what reached the loop's exception handler."""
    complaints: list[dict[str, Any]] = []
    with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
        runner.run(main)
        gc.collect()
    return complaints


@pytest.mark.parametrize("way", [*WAYS, "concurrent"])
def test_debug_mode(way: str) -> None:
    assert run(everything(way), debug=True) == []


def test_debug_mode_with_all_modes() -> None:
    assert run(all_modes(), debug=True) == []


def test_debug_mode_by_environment(tmp_path: Any) -> None:
    """`PYTHONASYNCIODEBUG` and `-X dev` in an interpreter of its own: nothing is written to stderr."""
    script = (
        "import asyncio\n"
        "from tests.driver.test_loops import all_modes\n"
        "async def main():\n"
        "    asyncio.get_running_loop().slow_callback_duration = 3600\n"  # a busy machine is not our fault
        "    await all_modes()\n"
        "asyncio.run(main())\n"
    )
    path = os.pathsep.join(entry or "." for entry in sys.path)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        env={**os.environ, "PYTHONASYNCIODEBUG": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("way", [*WAYS, "concurrent"])
def test_uvloop(way: str) -> None:
    uvloop = pytest.importorskip("uvloop")
    assert run(everything(way), factory=uvloop.new_event_loop) == []


def test_uvloop_with_all_modes() -> None:
    uvloop = pytest.importorskip("uvloop")
    assert run(all_modes(), factory=uvloop.new_event_loop) == []


eager = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in 3.12")


def eager_loop() -> asyncio.AbstractEventLoop:
    event_loop = asyncio.new_event_loop()
    event_loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]
    return event_loop


@eager
@pytest.mark.parametrize("way", [*WAYS, "concurrent"])
def test_eager_tasks(way: str) -> None:
    assert run(everything(way), factory=eager_loop) == []


@eager
def test_eager_tasks_with_all_modes() -> None:
    assert run(all_modes(), factory=eager_loop) == []


@eager
def test_eager_tasks_that_end_at_once() -> None:
    """The task of a concurrent plugin may have ended before the engine sees it."""
    journal = Journal()

    async def at_once() -> None:
        journal(asyncio.current_task())

    async def fail() -> None:
        raise ValueError("mine")

    async def main() -> None:
        manager = manager_of(*[Scripted(at_once, f"p{at}", mode="concurrent") for at in range(3)])
        assert (await invoke(manager)).continue_processing
        assert len(set(journal.lines)) == 3
        with pytest.raises(PluginError, match="mine"):
            await invoke(manager_of(Scripted(fail, mode="concurrent")))
        result = await invoke(manager_of(Scripted(fail, mode="fire_and_forget")))
        assert len(await result.wait_for_background_tasks()) == 1

    assert run(main(), factory=eager_loop) == []


@pytest.mark.parametrize("way", [*WAYS, "concurrent"])
def test_task_factory(way: str) -> None:
    """A factory that looks at the coroutine's name, and wraps it into one of its own."""
    names: list[str] = []

    async def wrapped(coroutine: Any) -> Any:
        return await coroutine

    def factory(event_loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        assert asyncio.iscoroutine(coroutine)
        names.append(getattr(coroutine, "__qualname__", ""))
        return asyncio.Task(wrapped(coroutine), loop=event_loop, **options)

    def loop_with_factory() -> asyncio.AbstractEventLoop:
        event_loop = asyncio.new_event_loop()
        event_loop.set_task_factory(factory)
        return event_loop

    assert run(everything(way), factory=loop_with_factory) == []
    assert ("p.tool_pre_invoke" in names) == (way == "concurrent")


@pytest.mark.parametrize("mode", MODES)
def test_loops_in_threads_share_a_manager(mode: str) -> None:
    journal = Journal()

    async def body() -> None:
        before = asyncio.current_task(), asyncio.get_running_loop()
        await nap()
        assert before == (asyncio.current_task(), asyncio.get_running_loop())
        journal(threading.get_ident())

    manager = manager_of(Scripted(body, mode=mode), timeout=30)
    failures: list[BaseException] = []

    async def main() -> None:
        results = await asyncio.gather(*[invoke(manager) for _ in range(50)])
        for result in results:
            assert await result.wait_for_background_tasks() == []

    barrier = threading.Barrier(8)

    def work() -> None:
        try:
            barrier.wait()
            asyncio.run(main())
            barrier.wait()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(journal.lines) == 8 * 50
    assert len(set(journal.lines)) == 8


@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
def test_threads_at_a_tiny_switch_interval(mode: str) -> None:
    """Registering, disabling, invoking and collecting, all at once."""
    interval = sys.getswitchinterval()
    manager = manager_of(Scripted(nap_once, mode=mode), timeout=30)
    stop = threading.Event()
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> threading.Thread:
        def target() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        return threading.Thread(target=target)

    def callers() -> None:
        async def main() -> None:
            for _ in range(30):
                for result in await asyncio.gather(*[invoke(manager) for _ in range(10)]):
                    assert result.continue_processing
                    assert result.executions

        asyncio.run(main())

    def meddler() -> None:
        while not stop.is_set():
            manager._registry.register(Scripted(nap_once, "other", mode=mode))
            manager.executor.timeout = 30
            manager.executor._runtime_disabled.add("other")
            gc.collect(0)
            manager.executor._runtime_disabled.discard("other")
            manager._registry.unregister("other")

    sys.setswitchinterval(1e-6)
    try:
        workers = [guarded(callers) for _ in range(4)]
        meddling = guarded(meddler)
        for thread in [*workers, meddling]:
            thread.start()
        for thread in workers:
            thread.join()
        stop.set()
        meddling.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


async def nap_once() -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
async def test_ten_thousand_in_flight(mode: str) -> None:
    number = 10_000 if mode == "sequential" else 2_000
    go = asyncio.Event()
    waiting = 0

    async def body() -> None:
        nonlocal waiting
        waiting += 1
        await go.wait()

    manager = manager_of(Scripted(body, mode=mode), timeout=300)
    callers = [asyncio.create_task(invoke(manager)) for _ in range(number)]
    await settle(4)
    assert waiting == number
    go.set()
    results = await asyncio.gather(*callers)
    assert all(result.continue_processing for result in results)


async def test_ten_thousand_cancelled() -> None:
    never = asyncio.Event()
    manager = manager_of(Scripted(never.wait), timeout=300)
    callers = [asyncio.create_task(invoke(manager)) for _ in range(10_000)]
    await settle(2)
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    assert all(caller.cancelled() for caller in callers)


def test_loop_that_is_closed_half_way() -> None:
    """A loop that goes away with a call in flight: the plugin's `finally` runs, at the latest when it is collected."""
    journal = Journal()
    event_loop = asyncio.new_event_loop()
    event_loop.set_exception_handler(lambda *_: None)

    async def body() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            journal("finally")

    caller = event_loop.create_task(call("sequential", body, timeout=30))
    event_loop.run_until_complete(asyncio.sleep(0))
    event_loop.close()
    del caller, event_loop
    gc.collect()
    assert journal.lines == ["finally"]
