"""Plugins that wait for something outside of Python: a Redis, and what becomes of it when loops and processes end."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from cpex.framework import GlobalContext, PluginConfig, PluginError, PluginResult, TenantPluginManager
from cpex.framework.builtin import BuiltinPlugin

from .redis_server import RedisServer
from .world import HOOK, PAYLOAD, collect, manager_of, request, settle, task, timers

THREAD = "cpex"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.kill()


def limiter(url: str, rate: str = "5/day", **fields: Any) -> BuiltinPlugin:
    store = {"redis": {"url": url, "timeout": "5s", "retry_every": "1ms"}}
    config = {"limits": [{"rate": rate}], "store": store}
    return BuiltinPlugin(PluginConfig(name="limit", kind="builtin.rate_limiter", hooks=[HOOK], config=config, **fields))


async def passes(manager: TenantPluginManager) -> bool:
    result, _ = await manager.invoke_hook(HOOK, PAYLOAD, request())
    return bool(result.continue_processing)


async def count(manager: TenantPluginManager, calls: int) -> int:
    return sum(await asyncio.gather(*[passes(manager) for _ in range(calls)]))


def threads() -> list[str]:
    """The names of the threads of this process, those of Rust too."""
    names = []
    for thread in Path("/proc/self/task").iterdir():
        # One may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            names.append((thread / "comm").read_text().strip())
    return names


class Silence:
    """A server that takes connections and never answers."""

    def __init__(self) -> None:
        self.server: asyncio.Server | None = None
        self.ended = asyncio.Event()
        self.asked = asyncio.Event()

    async def __aenter__(self) -> Silence:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.server is not None
        self.server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        while await reader.read(1000):
            pass
        writer.close()
        self.ended.set()

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"redis://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("mode", ["sequential", "transform", "audit", "concurrent", "fire_and_forget"])
async def test_every_mode(redis: RedisServer, mode: str) -> None:
    manager = manager_of(limiter(redis.url, "1/day", mode=mode))
    results = [(await manager.invoke_hook(HOOK, PAYLOAD, request()))[0] for _ in range(2)]
    assert [error for result in results for error in await result.wait_for_background_tasks()] == []
    allowed = [result.continue_processing for result in results]
    assert allowed == [True, mode not in ("sequential", "concurrent")]
    if mode == "sequential":
        assert results[0].metadata is not None and results[0].metadata["limit"]["judge"] == "shared"
        violation = results[1].violation
        assert violation is not None and violation.http_status_code == 429 and violation.plugin_name == "limit"


async def test_called_by_hand_and_alone(redis: RedisServer) -> None:
    plugin = limiter(redis.url, "2/day")
    manager = manager_of(plugin)
    result = await getattr(plugin, HOOK)(PAYLOAD, await context(manager))
    assert isinstance(result, PluginResult) and result.continue_processing
    alone = await manager.invoke_hook_for_plugin("limit", HOOK, PAYLOAD, request())
    assert alone.violation is not None and alone.violation.plugin_name == "limit"


async def context(manager: TenantPluginManager) -> Any:
    """The plugin's context of a first, counted call."""
    _, table = await manager.invoke_hook(HOOK, PAYLOAD, request())
    assert table is not None
    return next(iter(table.values()))


async def test_many_at_once(redis: RedisServer) -> None:
    """A thousand callers wait at once; exactly as many pass as may, and the runtime has one thread."""
    manager = manager_of(limiter(redis.url, "100/day"))
    assert await count(manager, 1000) == 100
    assert threads().count(THREAD) == 1


async def test_two_managers_share(redis: RedisServer) -> None:
    one, other = manager_of(limiter(redis.url, "7/day")), manager_of(limiter(redis.url, "7/day"))
    assert await count(one, 5) + await count(other, 5) == 7


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_every_loop(redis: RedisServer, make_loop: Any) -> None:
    manager = manager_of(limiter(redis.url, "3/day"))
    with asyncio.Runner(loop_factory=make_loop) as runner:
        assert runner.run(count(manager, 5)) == 3


def test_one_loop_after_the_other(redis: RedisServer) -> None:
    manager = manager_of(limiter(redis.url, "3/day"))
    assert [asyncio.run(passes(manager)) for _ in range(5)] == [True] * 3 + [False] * 2


def test_loops_in_threads(redis: RedisServer) -> None:
    """Every loop hears of its own answers."""
    manager = manager_of(limiter(redis.url, "150/day"))
    passed: list[int] = []
    workers = [threading.Thread(target=lambda: passed.append(asyncio.run(count(manager, 100)))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(passed) == 4 and sum(passed) == 150


async def test_killed_and_restarted(redis: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """While it is away nobody passes, and the log says so; when it is back, it counts again."""
    caplog.set_level("INFO", "cpex.framework.builtin")
    manager = manager_of(limiter(redis.url, "2/day"))
    assert await passes(manager)
    redis.kill()
    result, _ = await manager.invoke_hook(HOOK, PAYLOAD, request())
    assert not result.continue_processing
    while not said(caplog):
        assert not await passes(manager)
    [(level, text)] = said(caplog)
    assert level == "WARNING" and text.startswith("Redis does not answer") and str(redis.port) in text
    redis.start()
    for _ in range(1000):
        if await passes(manager):
            break
        await asyncio.sleep(0.005)
    assert await passes(manager)
    assert not await passes(manager)
    assert said(caplog)[1:] == [("INFO", f"Redis answers again [server: 127.0.0.1:{redis.port}]")]


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """What built-in plugins have said, so far."""
    lines = [record for record in caplog.records if record.name == "cpex.framework.builtin"]
    return [(line.levelname, line.getMessage()) for line in lines]


# Deadlines and cancellation.


async def test_deadline() -> None:
    async with Silence() as silence:
        manager = manager_of(limiter(silence.url), timeout=0.02)
        with pytest.raises(PluginError, match="timeout"):
            await passes(manager)
        assert task().cancelling() == 0
        assert timers() == []


@pytest.mark.parametrize("mode", ["sequential", "concurrent"])
async def test_cancelled(mode: str) -> None:
    """A cancellation from outside goes through, and nobody waits on."""
    async with Silence() as silence:
        manager = manager_of(limiter(silence.url, mode=mode))
        caller = asyncio.create_task(passes(manager))
        await silence.asked.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await settle()
        others = asyncio.all_tasks() - {task()}
        assert all("_serve" in repr(other) for other in others)


async def test_closed_half_way() -> None:
    async with Silence() as silence:
        manager = manager_of(limiter(silence.url))
        coroutine = manager.invoke_hook(HOOK, PAYLOAD, request())
        assert asyncio.isfuture(coroutine.send(None))
        coroutine.close()
        other = manager.invoke_hook(HOOK, PAYLOAD, request())
        other.send(None)
        del other
        collect()


def test_loop_closed_half_way(redis: RedisServer) -> None:
    """An answer for a loop that is gone is dropped; the next loop gets its own."""
    manager = manager_of(limiter(redis.url, "1000/day"))

    async def abandon() -> None:
        for _ in range(50):
            coroutine = manager.invoke_hook(HOOK, PAYLOAD, GlobalContext(request_id="1"))
            with suppress(StopIteration):  # its answer may be there at once
                coroutine.send(None)
                abandoned.append(coroutine)

    abandoned: list[Any] = []
    asyncio.run(abandon())
    assert asyncio.run(passes(manager))
    for coroutine in abandoned:
        coroutine.close()


def test_without_a_loop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        coroutine = manager_of(limiter(url)).invoke_hook(HOOK, PAYLOAD, request())
        with pytest.raises(PluginError, match="no asyncio event loop runs"):
            coroutine.send(None)


# Processes.

CHILD = """
import asyncio, os, sys, threading
from pathlib import Path
from driver.test_remote import *
"""


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    """A Python of its own."""
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", CHILD + code, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_share_one_limit(redis: RedisServer) -> None:
    code = "print(asyncio.run(count(manager_of(limiter(sys.argv[1], '250/day')), 200)))"
    children = [child(code, redis.url) for _ in range(2)]
    passed = [each.communicate(timeout=120) for each in children]
    assert sum(int(out) for out, _ in passed) == 250, passed


def test_no_thread_if_nothing_waits() -> None:
    code = """
plugin = BuiltinPlugin(PluginConfig(name='limit', kind='builtin.rate_limiter', hooks=[HOOK],
                                    config={'limits': [{'rate': '1/day'}]}))
assert asyncio.run(passes(manager_of(plugin)))
assert THREAD not in threads(), threads()
"""
    process = child(code)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err


def test_fork(redis: RedisServer) -> None:
    """Children are forked while their parent waits for answers; all of them count, and all end cleanly."""
    code = """
import warnings
warnings.simplefilter('ignore', DeprecationWarning)
manager = manager_of(limiter(sys.argv[1], '100000/day'))
asyncio.run(count(manager, 20))
stop = threading.Event()
passed = []
def busy():
    async def work():
        while not stop.is_set():
            passed.append(await count(manager, 20))
    asyncio.run(work())
worker = threading.Thread(target=busy)
worker.start()
children = []
for _ in range(10):
    process = os.fork()
    if process == 0:
        counted = asyncio.run(count(manager, 20))
        names = threads().count(THREAD)
        os._exit(0 if (counted, names) == (20, 1) else 1)
    children.append(process)
codes = [os.waitpid(process, 0)[1] for process in children]
stop.set()
worker.join()
assert codes == [0] * 10, codes
assert set(passed) == {20}
assert threads().count(THREAD) == 1
"""
    process = child(code, redis.url)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err


def test_interpreter_ends_in_the_middle(redis: RedisServer) -> None:
    code = """
import atexit
atexit.register(lambda: print('end', THREAD in threads()))
manager = manager_of(limiter(sys.argv[1], '100000/day'))
async def main():
    await passes(manager)
    for _ in range(100):
        asyncio.ensure_future(passes(manager))
    await asyncio.sleep(0)
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
"""
    process = child(code, redis.url)
    out, err = process.communicate(timeout=120)
    # What was registered first is called last: the runtime has ended by then.
    assert process.returncode == 0 and out == "end False\n", err
