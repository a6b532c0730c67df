"""One shared state for all managers (M1-M4, M21, B19, B21, B36)."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

import cpex.framework
from cpex.framework import Plugin, PluginConfig, PluginManager, get_plugin_manager
from cpex.framework.hooks.policies import DefaultHookPolicy, HookPayloadPolicy
from cpex.framework.manager import PluginExecutor
from cpex.framework.registry import PluginInstanceRegistry

POLICY = {"h": HookPayloadPolicy(frozenset({"a"}))}
OTHER_POLICY = {"h": HookPayloadPolicy(frozenset({"b"}))}
IGNORED = "PluginManager: hook_policies already set; ignoring new policies (call reset() first to replace them)"


@pytest.fixture
def config_path(tmp_path: Path) -> str:
    path = tmp_path / "config.yaml"
    path.write_text("plugins:\n  - {name: a, kind: tests.unit.sample_plugins.Allow, hooks: [tool_pre_invoke]}\n")
    return str(path)


def test_state_is_shared(config_path: str) -> None:
    first, second = PluginManager(config_path), PluginManager()
    assert first is not second
    assert first.__dict__ is second.__dict__
    assert first.__dict__ is PluginManager._PluginManager__shared_state  # type: ignore[attr-defined]
    assert second.config is not None
    assert second._config_path == config_path
    assert second.executor is first.executor
    assert second._registry is first._registry
    assert second.executor.config is second.config


def test_bare_construction_is_the_first_one(config_path: str) -> None:
    PluginManager()
    assert PluginManager(config_path).config is None


def test_defaults() -> None:
    manager = PluginManager()
    assert manager.config is None
    assert manager._config_path is None
    assert not manager.initialized
    assert manager.plugin_count == 0
    assert manager.observability is None
    assert manager.load_failures == []
    assert manager.executor.timeout == 30
    assert manager.executor.hook_policies == {}
    assert manager.executor.default_hook_policy is DefaultHookPolicy.ALLOW
    assert manager._runtime_disabled == set()


def test_missing_file_is_an_empty_config() -> None:
    manager = PluginManager("/nonexistent.yaml")
    assert manager.config is not None
    assert manager.config.plugins == []
    assert manager._config_path == "/nonexistent.yaml"


def test_unusable_config_leaves_no_state(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("plugins: 3\n")
    with pytest.raises((ValidationError, ValueError)):
        PluginManager(str(path))
    assert PluginManager._PluginManager__shared_state == {}  # type: ignore[attr-defined]


def test_config_loader_is_looked_up_in_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    from cpex.framework import manager as module
    from cpex.framework.models import Config

    class Loader:
        @staticmethod
        def load_config(path: str) -> Config:
            return Config(plugin_dirs=[path])

    monkeypatch.setattr(module, "ConfigLoader", Loader)
    loaded = PluginManager("x").config
    assert loaded is not None
    assert loaded.plugin_dirs == ["x"]


def test_unknown_default_policy() -> None:
    with pytest.raises(ValueError, match="^'zzz' is not a valid DefaultHookPolicy$"):
        PluginManager(default_hook_policy="zzz")  # type: ignore[arg-type]
    assert PluginManager._PluginManager__shared_state == {}  # type: ignore[attr-defined]
    PluginManager()
    with pytest.raises(ValueError, match="^'zzz' is not a valid DefaultHookPolicy$"):
        PluginManager(default_hook_policy="zzz")  # type: ignore[arg-type]


def test_default_policy_comes_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_DEFAULT_HOOK_POLICY", "deny")
    assert PluginManager().executor.default_hook_policy is DefaultHookPolicy.DENY


class TestLaterConstruction:
    def test_timeout_alone_is_ignored(self) -> None:
        PluginManager(timeout=7)
        assert PluginManager(timeout=9).executor.timeout == 7

    def test_timeout_comes_with_something_else(self) -> None:
        PluginManager(timeout=7)
        manager = PluginManager(timeout=9, hook_policies=POLICY)
        assert manager.executor.timeout == 9
        assert manager.executor.hook_policies == POLICY
        PluginManager(default_hook_policy="deny")
        assert manager.executor.timeout == 9

    def test_first_policies_stay(self, caplog: pytest.LogCaptureFixture) -> None:
        manager = PluginManager(hook_policies=POLICY)
        PluginManager(hook_policies=dict(POLICY))
        assert caplog.messages == []
        PluginManager(hook_policies=OTHER_POLICY)
        assert manager.executor.hook_policies == POLICY
        assert caplog.messages == [IGNORED]

    def test_default_policy_is_overwritten_when_passed(self) -> None:
        manager = PluginManager()
        PluginManager(default_hook_policy="deny")
        assert manager.executor.default_hook_policy is DefaultHookPolicy.DENY
        PluginManager(hook_policies=POLICY)
        assert manager.executor.default_hook_policy is DefaultHookPolicy.DENY

    def test_b21_observability_touches_nothing_else(self, caplog: pytest.LogCaptureFixture) -> None:
        first, second = object(), object()
        manager = PluginManager(timeout=7, hook_policies=POLICY)
        PluginManager(observability=first)  # type: ignore[arg-type]
        PluginManager(observability=second)  # type: ignore[arg-type]
        assert manager.observability is first
        assert manager.executor.timeout == 7
        assert manager.executor.hook_policies == POLICY
        assert caplog.messages == []

    async def test_b21_no_policies_stay_usable(self) -> None:
        manager = PluginManager()
        PluginManager(observability=object())  # type: ignore[arg-type]
        assert manager.executor.hook_policies == {}

    def test_b19_another_path_is_reported(self, config_path: str, caplog: pytest.LogCaptureFixture) -> None:
        PluginManager(config_path)
        PluginManager(config_path)
        PluginManager()
        assert caplog.messages == []
        PluginManager("other.yaml")
        assert caplog.messages == [
            f"PluginManager: already configured from '{config_path}'; ignoring 'other.yaml' "
            "(call reset() first to replace it)"
        ]


class TestReset:
    def test_forgets_everything(self, config_path: str) -> None:
        manager = PluginManager(config_path)
        registry, loader, executor = manager._registry, manager._loader, manager.executor
        PluginManager.reset()
        assert manager.__dict__ == {}
        assert manager.config is None
        assert manager._config_path is None
        assert manager._async_lock is None
        assert not manager.initialized
        assert manager._registry is not registry
        assert manager._registry is PluginManager._registry
        assert manager._loader is not loader
        assert manager._executor is None
        assert manager.executor is not executor
        assert manager.plugin_count == 0
        assert manager.get_plugin("a") is None

    def test_does_not_shut_plugins_down(self) -> None:
        class Watched(Plugin):
            closed = False

            async def shutdown(self) -> None:
                Watched.closed = True

        PluginManager()._registry.register(Watched(PluginConfig(name="w", kind="k")))
        PluginManager.reset()
        assert not Watched.closed

    def test_registry_class_is_looked_up_in_the_module(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from cpex.framework import manager as module

        class Registry(PluginInstanceRegistry):
            pass

        monkeypatch.setattr(module, "PluginInstanceRegistry", Registry)
        PluginManager.reset()
        assert type(PluginManager()._registry) is Registry


def test_executor_can_be_replaced() -> None:
    manager = PluginManager()
    new = PluginExecutor(timeout=3)
    manager.executor = new
    assert manager.executor is new
    assert PluginManager().executor is new
    manager.executor = None
    assert manager.executor is not new


def test_observability_can_be_replaced() -> None:
    manager, provider = PluginManager(), object()
    manager.observability = provider  # type: ignore[assignment]
    assert manager.executor.observability is provider


@pytest.mark.parametrize("name", ["config", "initialized"])
def test_views_are_read_only(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(PluginManager(), name, 1)


def test_b36_runtime_disabled_is_live() -> None:
    manager = PluginManager()
    manager.executor._runtime_disabled.add("p")
    assert manager._runtime_disabled == {"p"}


class TestGetPluginManager:
    def test_none_while_disabled(self) -> None:
        assert get_plugin_manager() is None
        assert cpex.framework._plugin_manager is None

    def test_made_once_from_the_settings(self, config_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PLUGINS_ENABLED", "true")
        monkeypatch.setenv("PLUGINS_CONFIG_FILE", config_path)
        monkeypatch.setenv("PLUGINS_PLUGIN_TIMEOUT", "12")
        provider = object()
        manager = get_plugin_manager(observability=provider, hook_policies=POLICY)  # type: ignore[arg-type]
        assert manager is not None
        assert manager is cpex.framework._plugin_manager
        assert not manager.initialized
        assert manager._config_path == config_path
        assert manager.executor.timeout == 12
        assert manager.executor.hook_policies == POLICY
        assert manager.observability is provider
        monkeypatch.setenv("PLUGINS_ENABLED", "false")
        assert get_plugin_manager() is manager
