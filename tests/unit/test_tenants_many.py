"""Hundreds of managers side by side (M22): nothing is mixed up, and nothing is left when they are gone."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit import tenant_plugins
from tests.unit.tenant_plugins import ALIVE, Counting

from cpex.framework import ConfigLoader, GlobalContext, PluginConfig, TenantPluginManager, ToolPreInvokePayload
from cpex.framework.hooks.policies import HookPayloadPolicy
from cpex.framework.models import Config

TENANTS = 500
HOOK = "tool_pre_invoke"
KIND = "tests.unit.tenant_plugins."
YAML = f"""
plugins:
- {{name: first, kind: {KIND}Counting, hooks: [{HOOK}], priority: 1, config: {{limits: [1, 2]}}}}
- {{name: later, kind: {KIND}Writing, hooks: [{HOOK}], mode: fire_and_forget}}
- {{name: second, kind: {KIND}Counting, hooks: [{HOOK}], priority: 2}}
"""


@pytest.fixture(autouse=True)
def begin_with_nothing() -> Iterator[None]:
    gc.collect()
    ALIVE.clear()
    tenant_plugins.ENDED.clear()
    yield


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "plugins.yaml"
    file.write_text(YAML)
    return str(file)


async def ask(manager: TenantPluginManager, tenant: int) -> tuple[str, list[str]]:
    """Return the name that the plugins made, and the state that they left."""
    request = GlobalContext(request_id=str(tenant), tenant_id=str(tenant))
    result, _ = await manager.invoke_hook(HOOK, ToolPreInvokePayload(name=str(tenant), args={}), request)
    payload = result.modified_payload
    return ("" if payload is None else payload.name), request.state.get("seen", [])


async def start(source: str | Config) -> list[TenantPluginManager]:
    managers = [TenantPluginManager(source) for _ in range(TENANTS)]
    await asyncio.gather(*(manager.initialize() for manager in managers))
    return managers


@pytest.mark.parametrize("from_file", [False, True])
async def test_nothing_is_left_behind(path: str, from_file: bool) -> None:
    threads, tasks = threading.active_count(), asyncio.all_tasks()
    config = ConfigLoader.load_config(path)
    managers = await start(path if from_file else config)
    for _ in range(2):
        answers = await asyncio.gather(*(ask(manager, number) for number, manager in enumerate(managers)))
        assert answers == [(f"{number}>first>second", ["first", "second"]) for number in range(TENANTS)]
    assert len(ALIVE) == 2 * TENANTS
    assert {plugin.calls for plugin in ALIVE if isinstance(plugin, Counting)} == {2}
    left = [weakref.ref(thing) for manager in managers for thing in (manager, manager.executor, manager._registry)]
    await asyncio.gather(*(manager.shutdown() for manager in managers))
    assert asyncio.all_tasks() == tasks
    assert sorted(set(tenant_plugins.ENDED)) == ["done", "shutdown"]
    assert tenant_plugins.ENDED.count("done") == 2 * TENANTS
    assert {manager.plugin_count for manager in managers} == {0}
    gc.collect()
    assert len(ALIVE) == 0  # also of managers that are kept
    managers.clear()
    gc.collect()
    assert [ref for ref in left if ref() is not None] == []
    assert threading.active_count() == threads
    assert config.plugins is not None


async def test_one_is_rebuilt_while_the_others_serve(path: str) -> None:
    managers = await start(path)
    stop = asyncio.Event()
    answered = [0] * TENANTS

    async def serve(number: int) -> None:
        while not stop.is_set():
            assert (await ask(managers[number], number))[0] == f"{number}>first>second"
            answered[number] += 1

    served = [asyncio.create_task(serve(number)) for number in range(0, TENANTS, 10)]
    for _ in range(5):
        replaced = managers[5]
        await replaced.shutdown()
        managers[5] = TenantPluginManager(path)
        await managers[5].initialize()
        assert (await ask(managers[5], 5))[0] == "5>first>second"
        assert replaced.plugin_count == 0
    while min(answered[::10]) < 2:
        await asyncio.sleep(0)
    stop.set()
    await asyncio.gather(*served)
    await asyncio.gather(*(manager.shutdown() for manager in managers))


async def test_nothing_is_mixed_up(path: str) -> None:
    """State, policies, disabled plugins, registrations and reports are each manager's own."""
    policy = {HOOK: HookPayloadPolicy(writable_fields=frozenset({"name"}))}
    managers = [
        TenantPluginManager(path, hook_policies=policy if number % 2 else None, timeout=number + 1)
        for number in range(20)
    ]
    await asyncio.gather(*(manager.initialize() for manager in managers))
    one = managers[3]
    failing = PluginConfig(name="failing", kind=KIND + "Failing", hooks=[HOOK], on_error="disable")
    one._registry.register(tenant_plugins.Failing(failing))
    one._registry.unregister("second")
    for number, manager in enumerate(managers):
        request = GlobalContext(request_id="1", tenant_id=str(number))
        result, _ = await manager.invoke_hook(HOOK, ToolPreInvokePayload(name="t", args={"a": 1}), request)
        await result.wait_for_background_tasks()
        assert manager.executor.timeout == number + 1
        assert manager._runtime_disabled == ({"failing"} if manager is one else set())
        assert result.modified_payload is not None
        assert result.modified_payload.name == ("t>first" if manager is one else "t>first>second")
        by = "first" if manager is one else "second"
        assert result.modified_payload.args == ({"a": 1} if number % 2 else {"by": by})
        names = {"first", "later", "failing"} if manager is one else {"first", "later", "second"}
        assert {line.plugin for line in result.report} == names
    await one.executor.reset_runtime_disabled()
    assert not one._runtime_disabled
    await asyncio.gather(*(manager.shutdown() for manager in managers))


MEASURE = """
import asyncio, gc, logging, sys
logging.disable(logging.CRITICAL)
from cpex.framework import GlobalContext, TenantPluginManager, ToolPreInvokePayload

def resident_kb():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * 4

async def serve(manager):
    await manager.initialize()
    result, _ = await manager.invoke_hook(
        "tool_pre_invoke", ToolPreInvokePayload(name="t"), GlobalContext(request_id="1"))
    await result.wait_for_background_tasks()

async def main():
    await serve(TenantPluginManager(sys.argv[1]))
    before = resident_kb()
    managers = [TenantPluginManager(sys.argv[1]) for _ in range(500)]
    for manager in managers:
        await serve(manager)
    print((resident_kb() - before) / len(managers))

asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the resident memory from /proc")
def test_a_tenant_costs_little_memory(path: str) -> None:
    """Three plugins take about 25 KB; a configuration document or a settings object kept per tenant would show."""
    done = subprocess.run([sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 60
