"""`shutdown()` and the fire-and-forget plugins that are still at work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.tenant_plugins import ENDED

from cpex.framework import GlobalContext, PluginConfig, TenantPluginManager, ToolPreInvokePayload
from cpex.framework.models import Config

HOOK = "tool_pre_invoke"
FOREVER = 3600


@pytest.fixture(autouse=True)
def forget_endings() -> Iterator[None]:
    ENDED.clear()
    yield


def manager_of(seconds: float, timeout: float | None = 30, kind: str = "Writing", **fields: Any) -> TenantPluginManager:
    entry = PluginConfig(
        name="w",
        kind=f"tests.unit.tenant_plugins.{kind}",
        hooks=[HOOK],
        mode="fire_and_forget",
        config={"seconds": seconds},
        **fields,
    )
    return TenantPluginManager(Config(plugins=[entry]), timeout=timeout)


async def spawn(manager: TenantPluginManager) -> asyncio.Task[Any]:
    await manager.initialize()
    result, _ = await manager.invoke_hook(HOOK, ToolPreInvokePayload(name="t"), GlobalContext(request_id="1"))
    await asyncio.sleep(0)
    assert result.background_tasks
    return result.background_tasks[0]


async def test_they_finish_before_their_plugin_is_shut_down() -> None:
    manager = manager_of(0.02)
    task = await spawn(manager)
    await manager.shutdown()
    assert task.done()
    assert ENDED == ["done", "shutdown"]


@pytest.mark.parametrize("limit", [{"timeout": 0.05}, {"timeout": None, "timeout_ms": 50}])
async def test_each_has_its_time_limit(limit: dict[str, Any]) -> None:
    manager = manager_of(FOREVER, **limit)
    task = await spawn(manager)
    await manager.shutdown()
    assert task.done()
    assert ENDED == ["cancelled", "shutdown"]


async def test_without_a_limit_they_are_cancelled_after_the_default(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cpex.framework.manager.DEFAULT_PLUGIN_TIMEOUT", 0.05)
    manager = manager_of(FOREVER, timeout=None)
    task = await spawn(manager)
    await manager.shutdown()
    assert task.cancelled()
    assert ENDED == ["cancelled", "shutdown"]
    assert "Cancelled at shutdown, after 0.05 s in the background: w.tool_pre_invoke" in caplog.messages


async def test_a_shutdown_that_is_cancelled_cancels_them() -> None:
    manager = manager_of(FOREVER)
    task = await spawn(manager)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(manager.shutdown(), 0.05)
    await asyncio.wait([task])
    assert ENDED == ["cancelled"]
    assert not manager.initialized


def test_those_of_another_loop_finish_there() -> None:
    manager = manager_of(0.02)
    running, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        await spawn(manager)
        running.set()
        while not stop.is_set():
            await asyncio.sleep(0.001)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    running.wait()
    asyncio.run(manager.shutdown())
    assert ENDED == ["done", "shutdown"]
    stop.set()
    thread.join()


def test_those_of_a_loop_that_ended_are_forgotten() -> None:
    manager = manager_of(FOREVER)
    asyncio.run(spawn(manager))
    asyncio.run(manager.shutdown())
    assert ENDED == ["cancelled", "shutdown"]
    assert not manager._background._tasks


async def test_a_background_plugin_may_shut_its_manager_down() -> None:
    manager = manager_of(0)

    async def shut_down(payload: Any, context: Any) -> None:
        await manager.shutdown()

    await manager.initialize()
    plugin = manager.get_plugin("w")
    assert plugin is not None
    manager._registry.unregister("w")
    plugin.tool_pre_invoke = shut_down  # type: ignore[attr-defined]
    manager._registry.register(plugin)
    task = await spawn(manager)
    await asyncio.wait([task])
    assert ENDED == ["shutdown"]


async def test_the_tasks_are_kept_until_they_end() -> None:
    """asyncio refers to tasks weakly: one that nobody keeps may vanish before it has run."""
    manager = manager_of(0.01)
    task = await spawn(manager)
    assert manager._background._tasks == {task}
    await task
    await asyncio.sleep(0)
    assert not manager._background._tasks
    await manager.shutdown()
