"""Managers side by side (M22)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpex.framework import GlobalContext, PluginConfig, PluginManager, TenantPluginManager, ToolPreInvokePayload
from cpex.framework.hooks.policies import DefaultHookPolicy
from cpex.framework.models import Config

REQUEST = GlobalContext(request_id="1")
PAYLOAD = ToolPreInvokePayload(name="t")


def config(name: str) -> Config:
    return Config(plugins=[PluginConfig(name=name, kind="tests.unit.sample_plugins.Allow", hooks=["tool_pre_invoke"])])


async def test_states_are_independent() -> None:
    first, second, shared = TenantPluginManager(config("a")), TenantPluginManager(config("b")), PluginManager()
    await first.initialize()
    await second.initialize()
    assert (await first.invoke_hook("tool_pre_invoke", PAYLOAD, REQUEST))[0].metadata == {"a": "ran"}
    assert (await second.invoke_hook("tool_pre_invoke", PAYLOAD, REQUEST))[0].metadata == {"b": "ran"}
    assert (await shared.invoke_hook("tool_pre_invoke", PAYLOAD, REQUEST))[1] is None
    first.executor._runtime_disabled.add("x")
    assert second._runtime_disabled == set()
    await first.shutdown()
    assert first.plugin_count == 0
    assert second.plugin_count == 1
    assert shared.config is None


def test_config_is_used_as_it_is() -> None:
    given = config("a")
    manager = TenantPluginManager(given)
    assert manager.config is given
    assert manager.executor.config is given
    assert manager._config_path is None


def test_path_is_loaded_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("plugins:\n  - {name: a, kind: tests.unit.sample_plugins.Allow, hooks: [tool_pre_invoke]}\n")
    manager = TenantPluginManager(str(path))
    assert manager._config_path == str(path)
    assert manager.config is not None
    assert manager.config.plugins is not None
    assert manager.config.plugins[0].name == "a"


def test_arguments_reach_the_executor() -> None:
    manager = TenantPluginManager(config("a"), timeout=3, default_hook_policy="deny")
    assert manager.executor.timeout == 3
    assert manager.executor.default_hook_policy is DefaultHookPolicy.DENY
    with pytest.raises(ValueError, match="^'zz' is not a valid DefaultHookPolicy$"):
        TenantPluginManager(config("a"), default_hook_policy="zz")  # type: ignore[arg-type]


def test_reset_of_the_shared_state_leaves_tenants_alone() -> None:
    manager = TenantPluginManager(config("a"))
    TenantPluginManager.reset()
    PluginManager.reset()
    assert manager.config is not None
    assert manager._registry is not PluginManager._registry


def test_config_is_required() -> None:
    with pytest.raises(TypeError):
        TenantPluginManager()  # type: ignore[call-arg]
