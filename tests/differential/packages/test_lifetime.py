"""Ten published plugins on one event loop: many calls at once, many starts and stops, many tenants."""

import asyncio
import gc
import json
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import cpex.framework as framework
from cpex.framework import GlobalContext, Plugin, PluginResult, TenantPluginManager
from cpex.framework.extensions import Extensions

from ..case import PAYLOADS
from ..observe import dump
from .collector import Collector
from .matrix import COLLECTOR, LINE_UP, Input, setup_named, to_plugin

TASKS: Final = 20
CALLS_PER_TASK: Final = 10
CYCLES: Final = 10
TENANTS: Final = 50
PATIENCE: Final = 60.0
"""Seconds."""
OUTCOME: Final = ("continue_processing", "modified_payload", "violation", "metadata", "retry_delay_ms")
SETUPS: Final = [setup_named(package, name) for package, name, _ in LINE_UP]
# The others build on the call before: what comes out depends on the order.
INPUTS: Final[list[Input]] = [
    each
    for setup in SETUPS
    for each in setup["inputs"]
    if setup["package"] not in ("cpex-rate-limiter", "cpex-retry-with-backoff", "cpex-ica-metering-exporter")
    and "$model" not in json.dumps(each)
    and "raises" not in each["expect"]
]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector.running() as collector:
        yield collector


@pytest.fixture
def path(tmp_path: Path, collector: Collector) -> Path:
    """The configuration of all ten."""
    keys = ("name", "kind", "mode", "priority", "hooks", "config", "capabilities")
    plugins = [
        to_plugin(setup, mode, place) for place, (setup, (*_, mode)) in enumerate(zip(SETUPS, LINE_UP, strict=True))
    ]
    entries = [{key: value for key, value in plugin.items() if key in keys} for plugin in plugins]
    file = tmp_path / "plugins.yaml"
    file.write_text(json.dumps({"plugins": entries, "plugin_dirs": []}).replace(COLLECTOR, collector.url))
    return file


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """Every test ends without a task, a warning or an error that nobody handled."""
    loop = asyncio.get_running_loop()
    unhandled: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: unhandled.append(context))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
        gc.collect()
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [str(each.message) for each in warned] == []
    assert unhandled == []


async def call(manager: TenantPluginManager, each: Input, user: str, request: str) -> Any:
    """Makes the invocation that an input describes; returns what comes out, but for the names of user and request."""
    payload = getattr(framework, PAYLOADS[each["hook"]]).model_validate(each["payload"])
    context = GlobalContext(request_id=request, user=user, tenant_id="one")
    extensions = Extensions.model_validate(each.get("extensions", {}))
    result: PluginResult[Any]
    result, _ = await manager.invoke_hook(each["hook"], payload, context, extensions=extensions)
    assert await result.wait_for_background_tasks() == []
    outcome = {name: dump(getattr(result, name)) for name in OUTCOME}
    return json.loads(json.dumps(outcome).replace(request, "<request>").replace(user, "<user>"))


async def calls(manager: TenantPluginManager, inputs: list[Input] = INPUTS) -> list[Any]:
    """Makes one call per input, one after the other."""
    return [await call(manager, each, "alice", f"request-{place}") for place, each in enumerate(inputs)]


async def plugins_alive() -> int:
    await asyncio.sleep(0)  # the event loop holds the callback that it runs, and what woke it
    gc.collect()
    return sum(isinstance(each, Plugin) for each in gc.get_objects())


def threads_alive() -> int:
    """Those of this process, those of Rust too; none where the system does not tell."""
    return len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else 0


async def test_two_hundred_calls_over_twenty_tasks(path: Path, collector: Collector) -> None:
    """What comes out of calls that run side by side is what comes out of each alone."""
    manager = TenantPluginManager(str(path))
    await manager.initialize()
    assert manager.plugin_count == len(LINE_UP)
    alone = await calls(manager)
    assert {outcome["continue_processing"] for outcome in alone} == {True, False}
    collector.take()

    async def work(task: int) -> None:
        for turn in range(CALLS_PER_TASK):
            place = (task * CALLS_PER_TASK + turn) % len(INPUTS)
            outcome = await call(manager, INPUTS[place], f"user-{task}", f"request-{task}-{turn}")
            assert outcome == alone[place]

    async with asyncio.TaskGroup() as group:
        for task in range(TASKS):
            group.create_task(work(task))
    places = [place % len(INPUTS) for place in range(TASKS * CALLS_PER_TASK)]
    assert len(collector.take()) == sum(INPUTS[place]["hook"] == "tool_post_invoke" for place in places)
    await manager.shutdown()


async def test_starts_and_stops(path: Path) -> None:
    """A manager works after each of many restarts, and keeps nothing of the plugins it had."""
    before = await plugins_alive()
    manager = TenantPluginManager(str(path))
    await manager.initialize()
    first = await calls(manager)
    threads = threads_alive()
    for _ in range(CYCLES):
        await manager.shutdown()
        assert manager.plugin_count == 0
        await manager.initialize()
        assert await calls(manager) == first
    # One that answered the last call may be ending.
    async with asyncio.timeout(PATIENCE):
        while threads_alive() > threads:
            await asyncio.sleep(0.01)
    await manager.shutdown()
    del manager
    assert await plugins_alive() == before


async def test_tenants(path: Path) -> None:
    """Fifty tenants with the same packages do not see each other's state: together they exceed the rate limit."""
    before = await plugins_alive()
    managers = [TenantPluginManager(str(path)) for _ in range(TENANTS)]
    await asyncio.gather(*(manager.initialize() for manager in managers))
    outcomes = await asyncio.gather(*(calls(manager, INPUTS[::4]) for manager in managers))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    await asyncio.gather(*(manager.shutdown() for manager in managers))
    managers.clear()
    assert await plugins_alive() == before
