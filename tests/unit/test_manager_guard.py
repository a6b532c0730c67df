"""Hooks that must not go without their plugin (B7): before, during and after `initialize()`, and after `shutdown()`."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from tests.unit.sample_plugins import Allow

from cpex.framework import GlobalContext, PluginConfig, PluginManager, TenantPluginManager, ToolPreInvokePayload
from cpex.framework.models import Config

PAYLOAD = ToolPreInvokePayload(name="t")
HOOK = "tool_pre_invoke"
KINDS = "tests.unit.sample_plugins."


def entry(name: str, cls: str = "Allow", **fields: Any) -> PluginConfig:
    return PluginConfig(name=name, kind=KINDS + cls, **{"hooks": [HOOK], **fields})


async def ask(manager: PluginManager, tenant: str = "") -> tuple[str | None, list[tuple[str, str, str | None]]]:
    """Return who denied, and what the report says."""
    result, _ = await manager.invoke_hook(HOOK, PAYLOAD, GlobalContext(request_id="1", tenant_id=tenant))
    assert result.continue_processing is (result.violation is None)
    if result.violation is not None:
        assert result.violation.code == "PLUGIN_UNAVAILABLE"
    missing = [line for line in result.report if line.outcome == "not_loaded"]
    denied_by = None if result.violation is None else result.violation.plugin_name
    return denied_by, [(line.plugin, line.outcome, line.detail) for line in missing]


@pytest.mark.parametrize("how", [{"required": True}, {"on_missing": "deny"}])
async def test_b7_denied_until_it_is_loaded_and_after_shutdown(how: dict[str, Any]) -> None:
    manager = TenantPluginManager(Config(plugins=[entry("guard", **how), entry("other")]))
    missing = ("guard", [("guard", "not_loaded", "not initialized")])
    assert await ask(manager) == missing
    assert manager.has_hooks_for(HOOK)
    await manager.initialize()
    assert await ask(manager) == (None, [])
    assert isinstance(manager.get_plugin("guard"), Allow)
    assert manager.plugin_count == 2
    await manager.shutdown()
    assert await ask(manager) == missing
    await manager.initialize()
    assert await ask(manager) == (None, [])


async def test_b7_a_missing_plugin_is_listed_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whether what stands in for it denied, or did not run."""
    config = Config(plugins=[entry("guard", "BadInitialize", on_missing="deny"), entry("last", on_missing="deny")])
    manager = TenantPluginManager(config)
    for reported in (
        [("guard", "not_loaded", "not initialized"), ("last", "not_loaded", "not initialized")],
        [("last", "skipped", "an earlier plugin ended the pipeline"), ("guard", "not_loaded", "init boom")],
    ):
        result, _ = await manager.invoke_hook(HOOK, PAYLOAD, GlobalContext(request_id="1"))
        assert result.violation is not None
        assert result.violation.plugin_name == "guard"
        assert [(line.plugin, line.outcome, line.detail) for line in result.report] == reported
        await manager.initialize()


async def test_b7_a_host_that_ignores_the_failed_start_is_denied(caplog: pytest.LogCaptureFixture) -> None:
    plugins = [entry("good"), entry("guard", "BadInitialize", required=True), entry("later", required=True)]
    manager = TenantPluginManager(Config(plugins=plugins))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="^Plugin initialization failed: guard - init boom$"):
            await manager.initialize()
        assert await ask(manager) == (
            "guard",
            [("later", "not_loaded", "not initialized"), ("guard", "not_loaded", "init boom")],
        )
        assert [failure.name for failure in manager.load_failures] == ["guard"]
    assert "Failed to load plugin guard: {init boom}" in caplog.messages


async def test_b7_denied_while_loading() -> None:
    seen = []

    class Curious(Allow):
        async def initialize(self) -> None:
            await asyncio.sleep(0)
            seen.append((await ask(manager))[0])

    manager = TenantPluginManager(Config(plugins=[entry("first"), entry("guard", required=True), entry("last")]))
    manager._loader._plugin_types[KINDS + "Allow"] = Curious
    await manager.initialize()
    assert seen == ["guard", "guard", None]
    assert await ask(manager) == (None, [])


async def test_b7_a_guard_that_can_not_be_registered_is_stood_in_for() -> None:
    broken = entry("guard", "HalfHooks", hooks=[HOOK, "tool_post_invoke"], required=True)
    manager = TenantPluginManager(Config(plugins=[broken]))
    with pytest.raises(RuntimeError, match="has no hook: 'tool_post_invoke'"):
        await manager.initialize()
    assert (await ask(manager))[0] == "guard"


async def test_b7_conditions_and_disabled_count() -> None:
    conditions = [{"tenant_ids": ["a"]}]
    plugins = [entry("guard", required=True, conditions=conditions), entry("off", required=True, mode="disabled")]
    manager = TenantPluginManager(Config(plugins=plugins))
    assert (await ask(manager, "a"))[0] == "guard"
    assert (await ask(manager, "b"))[0] is None


async def test_b7_a_plugin_that_may_be_missing_is() -> None:
    manager = TenantPluginManager(Config(plugins=[entry("p", "BadInitialize")]))
    assert await ask(manager) == (None, [])
    assert not manager.has_hooks_for(HOOK)
    await manager.initialize()
    assert await ask(manager) == (None, [("p", "not_loaded", "init boom")])


async def test_b7_two_entries_of_one_name() -> None:
    manager = TenantPluginManager(Config(plugins=[entry("p"), entry("p", required=True)]))
    assert (await ask(manager))[0] == "p"
    with pytest.raises(RuntimeError, match="^Plugin initialization failed: p - Plugin p already registered$"):
        await manager.initialize()


async def test_b7_the_shared_manager_denies_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A failure names file, line and column: in the log, the exception and `load_failures`."""
    caplog.set_level(logging.ERROR)
    path = tmp_path / "plugins.yaml"
    path.write_text(f"plugins:\n- name: guard\n  kind: {KINDS}BadInitialize\n  hooks: [{HOOK}]\n  required: true\n")
    manager = PluginManager(str(path))
    assert (await ask(manager))[0] == "guard"
    with pytest.raises(RuntimeError) as caught:
        await manager.initialize()
    where = f"{path}:2:3"
    assert str(caught.value) == f"Plugin initialization failed: guard - init boom ({where})"
    assert [failure.where for failure in manager.load_failures] == [where]
    assert f"Failed to load plugin guard: {{init boom}} ({where})" in caplog.messages
    assert (await ask(PluginManager()))[0] == "guard"
