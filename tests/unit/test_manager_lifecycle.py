"""Loading and shutting plugins down (M5-M9, B7, B8)."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from tests.unit.sample_plugins import Allow, BadInitialize

from cpex.framework import (
    GlobalContext,
    PluginConfig,
    PluginError,
    PluginManager,
    TenantPluginManager,
    ToolPreInvokePayload,
    get_hook_registry,
)
from cpex.framework.hooks.tools import ToolPreInvokeResult
from cpex.framework.loader.config import plugin_settings
from cpex.framework.models import Config, ExecutionReport, PluginCondition

REQUEST = GlobalContext(request_id="1")
PAYLOAD = ToolPreInvokePayload(name="t")


@pytest.fixture(autouse=True)
def forget_shutdowns() -> None:
    Allow.shut_down.clear()


def entry(name: str, cls: str = "Allow", **fields: Any) -> PluginConfig:
    kind = cls if "." in cls or not cls[0].isupper() else f"tests.unit.sample_plugins.{cls}"
    return PluginConfig(name=name, kind=kind, **{"hooks": ["tool_pre_invoke"], **fields})


def manager_of(*entries: PluginConfig, **fields: Any) -> TenantPluginManager:
    return TenantPluginManager(Config(plugins=list(entries), **fields))


async def test_loads_in_order_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    manager = manager_of(entry("b"), entry("off", "no.such.Module", mode="disabled"), entry("a", mode="audit"))
    await manager.initialize()
    assert manager.initialized
    assert [ref.name for ref in manager._registry.get_all_plugins()] == ["b", "a"]
    assert manager.plugin_count == 2
    assert manager.has_hooks_for("tool_pre_invoke")
    assert not manager.has_hooks_for("tool_post_invoke")
    assert isinstance(manager.get_plugin("a"), Allow)
    assert manager.get_plugin("off") is None
    assert caplog.messages == [
        "Registered plugin: b with hooks: ['tool_pre_invoke']",
        "Loaded plugin: b (mode: sequential)",
        "Plugin: off is disabled. Ignoring.",
        "Registered plugin: a with hooks: ['tool_pre_invoke']",
        "Loaded plugin: a (mode: audit)",
        "Plugin manager initialized with 2 plugins",
    ]
    assert manager.load_failures == []


async def test_trusted_config_is_the_configs_own_object() -> None:
    manager = manager_of(entry("a", config={"k": []}))
    await manager.initialize()
    assert manager.config is not None
    assert manager.config.plugins is not None
    ref = manager._registry.get_plugin("a")
    assert ref is not None
    assert ref.trusted_config is manager.config.plugins[0]
    assert ref.plugin.config is not manager.config.plugins[0]


async def test_external_config_is_trusted_after_its_initialize() -> None:
    class Remote(Allow):
        async def initialize(self) -> None:
            self._config = self._config.model_copy(update={"priority": 3})

    external = PluginConfig(
        name="r", kind="external", hooks=["tool_pre_invoke"], mcp={"proto": "STREAMABLEHTTP", "url": "http://h/mcp"}
    )
    manager = manager_of(external)
    remote = Remote(external)
    await remote.initialize()
    with patch.object(manager._loader, "load_and_instantiate_plugin", AsyncMock(return_value=remote)):
        await manager.initialize()
    ref = manager._registry.get_plugin("r")
    assert ref is not None
    assert ref.trusted_config == remote.config
    assert ref.trusted_config is not remote.config
    assert ref.priority == 3


async def test_second_initialize_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="cpex.framework.manager")
    manager = manager_of(entry("a"))
    await manager.initialize()
    plugin = manager.get_plugin("a")
    await manager.initialize()
    assert manager.get_plugin("a") is plugin
    assert caplog.messages[-1] == "Plugin manager already initialized"


async def test_concurrent_initialize_loads_once() -> None:
    manager = manager_of(entry("a"))
    await asyncio.gather(*(manager.initialize() for _ in range(5)))
    assert manager.plugin_count == 1
    assert manager.load_failures == []


def test_initialize_from_several_loops_loads_once() -> None:
    class Slow(Allow):
        async def initialize(self) -> None:
            await asyncio.sleep(0.02)

    manager = manager_of(entry("a"))
    errors: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(manager.initialize())
        except BaseException as error:
            errors.append(error)

    manager._loader._plugin_types["tests.unit.sample_plugins.Allow"] = Slow
    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert manager.plugin_count == 1
    assert manager.load_failures == []


async def test_plugins_registered_by_hand_are_cleared(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="cpex.framework.manager")
    manager = manager_of()
    manager._registry.register(Allow(entry("stale")))
    await manager.initialize()
    assert Allow.shut_down == ["stale"]
    assert manager.plugin_count == 0
    assert caplog.messages[0] == "Plugin registry not empty before initialize; clearing stale plugins"


async def test_plugins_can_come_and_go_after_initialize() -> None:
    manager = manager_of()
    await manager.initialize()
    manager._registry.register(Allow(entry("late")))
    assert (await manager.invoke_hook("tool_pre_invoke", PAYLOAD, REQUEST))[0].metadata == {"late": "ran"}
    manager._registry.unregister("late")
    assert (await manager.invoke_hook("tool_pre_invoke", PAYLOAD, REQUEST))[1] is None


async def test_plugin_dirs_reach_the_loader() -> None:
    manager = manager_of(plugin_dirs=["./plugins"])
    with patch.object(manager._loader, "append_to_search_path") as append:
        await manager.initialize()
    append.assert_called_once_with(["./plugins"])


async def test_shutdown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    manager = manager_of(entry("a"), entry("bad", "BadShutdown"), entry("c"))
    await manager.initialize()
    old = manager._registry.get_plugin("a")
    caplog.clear()
    await manager.shutdown()
    assert Allow.shut_down == ["c", "a"]
    assert caplog.messages == [
        "Shutting down plugin manager",
        "Error shutting down plugin bad: boom shut",
        "Plugin manager shutdown complete",
    ]
    assert not manager.initialized
    assert manager.plugin_count == 0
    assert manager.config is not None
    with pytest.raises(PluginError):  # B8
        await manager.invoke_hook_for_plugin("a", "tool_pre_invoke", PAYLOAD, REQUEST)
    await manager.shutdown()
    assert caplog.messages[-1] == "Plugin manager not initialized, nothing to shutdown"
    await manager.initialize()
    new = manager._registry.get_plugin("a")
    assert old is not None
    assert new is not None
    assert new.uuid != old.uuid


@pytest.mark.parametrize(
    ("cls", "fields", "phase", "text"),
    [
        ("BadConstructor", {}, "construct", "ctor boom"),
        ("BadInitialize", {}, "initialize", "init boom"),
        ("no_such_module_here.Nope", {}, "import", "No module named 'no_such_module_here'"),
        ("native", {}, "import", "Empty module name; a kind is 'module.Class', not 'native'"),
        ("os.path.X", {}, "import", "Plugin module 'os.path' is blocked for security reasons."),
        (
            "HalfHooks",
            {"hooks": ["tool_pre_invoke", "tool_post_invoke"]},
            "register",
            "Plugin 'p' has no hook: 'tool_post_invoke'. Method must either be named 'tool_post_invoke' "
            "or decorated with @hook('tool_post_invoke')",
        ),
    ],
)
class TestLoadFailure:
    async def test_is_skipped_by_default(
        self, cls: str, fields: dict[str, Any], phase: str, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        config = entry("p", cls, on_error="fail", **fields)
        manager = manager_of(config, entry("good"))
        await manager.initialize()
        assert manager.initialized
        assert manager.plugin_count == 1
        assert f"Failed to load plugin p: {{{text}}}" in caplog.messages
        assert "Skipping plugin p because fail_on_plugin_error is disabled" in caplog.messages
        assert manager.load_failures == [("p", config.kind, phase, text, None, None)]
        assert manager.executor._not_loaded["tool_pre_invoke"] == (
            ExecutionReport("p", "", "tool_pre_invoke", "sequential", "not_loaded", detail=text),
        )

    async def test_ends_loading_with_the_switch(
        self, cls: str, fields: dict[str, Any], phase: str, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PLUGINS_FAIL_ON_PLUGIN_ERROR", "true")
        manager = manager_of(entry("good"), entry("p", cls, **fields), entry("never"))
        with pytest.raises(RuntimeError) as raised:
            await manager.initialize()
        assert str(raised.value) == f"Plugin initialization failed: p - {text}"
        assert raised.value.__cause__ is not None
        assert not manager.initialized
        assert [ref.name for ref in manager._registry.get_all_plugins()] == ["good"]
        with pytest.raises(RuntimeError):
            await manager.initialize()
        assert Allow.shut_down.count("good") == 1

    async def test_b7_required(self, cls: str, fields: dict[str, Any], phase: str, text: str) -> None:
        manager = manager_of(entry("p", cls, required=True, **fields))
        with pytest.raises(RuntimeError) as raised:
            await manager.initialize()
        assert str(raised.value) == f"Plugin initialization failed: p - {text}"
        assert not manager.initialized
        assert [failure.phase for failure in manager.load_failures] == [phase]

    async def test_b7_on_missing_deny(
        self, cls: str, fields: dict[str, Any], phase: str, text: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        manager = manager_of(entry("p", cls, mode="audit", on_missing="deny", **fields))
        await manager.initialize()
        assert [failure.phase for failure in manager.load_failures] == [phase]
        result, _ = await manager.invoke_hook("tool_pre_invoke", PAYLOAD, REQUEST)
        assert not result.continue_processing
        assert result.violation is not None
        assert result.violation.code == "PLUGIN_UNAVAILABLE"
        assert result.violation.plugin_name == "p"
        assert text not in result.violation.model_dump_json()
        assert "Skipping plugin p because fail_on_plugin_error is disabled" not in caplog.messages


async def test_loader_that_returns_nothing(caplog: pytest.LogCaptureFixture) -> None:
    manager = manager_of(entry("p"))
    with patch.object(manager._loader, "load_and_instantiate_plugin", AsyncMock(return_value=None)):
        await manager.initialize()
    assert "Failed to load plugin p: {Unable to instantiate plugin: p}" in caplog.messages
    assert manager.plugin_count == 0


async def test_second_plugin_of_a_name_is_skipped(caplog: pytest.LogCaptureFixture) -> None:
    manager = manager_of(entry("p"), entry("p"))
    await manager.initialize()
    assert manager.plugin_count == 1
    assert "Failed to load plugin p: {Plugin p already registered}" in caplog.messages
    assert Allow.shut_down == ["p"]  # the second one, which was already initialized


async def test_b7_nothing_can_deny_for_a_name_that_is_taken() -> None:
    manager = manager_of(entry("p"), entry("p", "BadConstructor", on_missing="deny"))
    with pytest.raises(RuntimeError, match="^Plugin initialization failed: p - ctor boom$"):
        await manager.initialize()


async def test_b7_nothing_can_deny_for_hooks_that_are_not_known() -> None:
    manager = manager_of(entry("p", "BadConstructor", on_missing="deny").model_copy(update={"hooks": []}))
    with pytest.raises(RuntimeError, match="^Plugin initialization failed: p - ctor boom$"):
        await manager.initialize()


async def test_failures_of_an_earlier_initialize_are_forgotten() -> None:
    manager = manager_of(entry("p", "BadInitialize"))
    await manager.initialize()
    assert len(manager.load_failures) == 1
    await manager.shutdown()
    with (
        patch.object(BadInitialize, "initialize", AsyncMock()),
        patch.object(BadInitialize, "tool_pre_invoke", Allow.tool_pre_invoke, create=True),
    ):
        await manager.initialize()
    assert manager.load_failures == []
    assert manager.executor._not_loaded == {}


async def test_no_secret_of_the_configuration_is_told(caplog: pytest.LogCaptureFixture) -> None:
    secrets = {
        "api_key": "sk-12345",
        "nested": {"passwords": ["hunter2x"]},
        "url": "https://bob:swordfish@host/x",
        "mode": "strict",
    }
    manager = manager_of(entry("p", "BadInitialize", config=secrets))
    await manager.initialize()
    for text in (caplog.text, manager.load_failures[0].error):
        assert "init boom" in text
        assert "strict" in text
        assert "https://***@host/x" in text
        for secret in ("sk-12345", "hunter2x", "swordfish", "bob"):
            assert secret not in text


async def test_borg_keeps_its_failures(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "plugins:\n  - {name: p, kind: tests.unit.sample_plugins.BadConstructor, hooks: [tool_pre_invoke]}\n"
    )
    manager = PluginManager(str(path))
    await manager.initialize()
    assert [failure.name for failure in PluginManager().load_failures] == ["p"]


async def test_b7_reports_name_what_is_missing() -> None:
    manager = manager_of(entry("p", "BadConstructor"), entry("good"))
    await manager.initialize()
    result, _ = await manager.invoke_hook("tool_pre_invoke", PAYLOAD, REQUEST)
    assert sorted((report.plugin, report.outcome) for report in result.report) == [("good", "ran"), ("p", "not_loaded")]


async def test_b30_settings_of_the_file_allow_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "found_there.py").write_text("from tests.unit.sample_plugins import Allow as Found\n")
    path = tmp_path / "c.yaml"
    path.write_text(
        f"plugin_dirs: [{plugins}]\n"
        f"plugin_settings: {{allowed_dirs: [{tmp_path}]}}\n"
        "plugins:\n  - {name: p, kind: found_there.Found, hooks: [tool_pre_invoke]}\n"
    )
    manager = TenantPluginManager(str(path))
    await manager.initialize()
    assert manager.load_failures == []
    assert manager._loader.plugin_dirs == [str(plugins)]
    assert plugin_settings(manager.executor.config) == {"allowed_dirs": [str(tmp_path)]}


async def test_b30_a_single_text_does_not_allow_directories(tmp_path: Path) -> None:
    """Taken as a list it would be its letters, of which `/` allows every directory."""
    path = tmp_path / "c.yaml"
    path.write_text(f"plugin_dirs: [/usr/lib]\nplugin_settings: {{allowed_dirs: {tmp_path}}}\n")
    manager = TenantPluginManager(str(path))
    with pytest.raises(ValueError, match="allowed_dirs must be a list of folders"):
        await manager.initialize()
    assert manager._loader.plugin_dirs == []


async def test_conditions_changed_in_place_count_when_a_plugin_is_registered_next() -> None:
    """docs/compatibility.md, "Smaller things": the engine compiles them."""
    conditional = entry("a", conditions=[PluginCondition(tools={"other"})])
    manager = manager_of(conditional)
    await manager.initialize()
    assert (await manager.invoke_hook("tool_pre_invoke", PAYLOAD, REQUEST))[0].metadata == {}
    conditional.conditions.clear()
    manager._registry.register(Allow(entry("b")))
    assert (await manager.invoke_hook("tool_pre_invoke", PAYLOAD, REQUEST))[0].metadata == {"a": "ran", "b": "ran"}


WORDS = {"words": ["x"]}


async def test_c14_hooks_that_are_probably_misspelt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One that a method answers may be the application's own, unless it nearly is a known one."""
    path = tmp_path / "plugins.yaml"
    path.write_text(
        "plugins:\n"
        "- {name: a, kind: tests.unit.sample_plugins.OwnHooks, hooks: [tool_pre_invok, my_own_hook,\n"
        "   tool_pre_invoke_v2, tool_pre_invokee, tool_pre_invoke]}\n"
        "- {name: w, kind: builtin.deny_list, config: {words: [x]}, hooks: [pre_tool_invoke, cmf.tool_pre_invoke,\n"
        "   my.thing]}\n"
        "- {name: idle, kind: b.C, hooks: [tool_pre_invok], mode: disabled}\n"
        "- {name: gone, kind: no_such.Module, hooks: [tool_pre_invok]}\n"
    )
    manager = TenantPluginManager(str(path))
    await manager.initialize()
    assert [message for message in caplog.messages if "unknown hook" in message] == [
        f'{path}:2:63: unknown hook "tool_pre_invok" of plugin a; did you mean "tool_pre_invoke"?',
        f'{path}:4:68: unknown hook "pre_tool_invoke" of plugin w; nobody registered it'
        '; did you mean "tool_pre_invoke"?',
        f'{path}:5:4: unknown hook "my.thing" of plugin w; nobody registered it',
        f'{path}:7:46: unknown hook "tool_pre_invok" of plugin gone; did you mean "tool_pre_invoke"?',
    ]


@pytest.mark.parametrize("guard", [{"required": True}, {"on_missing": "deny"}])
@pytest.mark.parametrize(("kind", "config"), [("builtin.deny_list", WORDS), ("tests.unit.sample_plugins.OwnHooks", {})])
async def test_b7_a_guard_at_a_misspelt_hook_ends_the_start(
    guard: dict[str, Any], kind: str, config: dict[str, Any]
) -> None:
    manager = manager_of(entry("a", kind, hooks=["tool_pre_invok"], config=config, **guard))
    wanted = '^Plugin initialization failed: a - unknown hook "tool_pre_invok"; did you mean "tool_pre_invoke"\\?$'
    with pytest.raises(RuntimeError, match=wanted):
        await manager.initialize()
    assert not manager.initialized


async def test_c14_no_plugin_starts_at_a_misspelt_hook_if_none_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in Rust hosts. A name that adds whole words to a known one is an application's own there, too."""
    monkeypatch.setenv("PLUGINS_FAIL_ON_PLUGIN_ERROR", "true")
    own = manager_of(entry("a", cls="OwnHooks", hooks=["tool_pre_invoke_v2", "my_own_hook"]))
    await own.initialize()
    with pytest.raises(RuntimeError, match='^Plugin initialization failed: a - unknown hook "tool_pre_invok"; did'):
        await manager_of(entry("a", cls="OwnHooks", hooks=["tool_pre_invok"])).initialize()


@pytest.mark.parametrize("hook", ["my.thing", "tool_pre_invoke_v2", "pre_tool_invoke"])
async def test_c14_a_required_builtin_plugin_starts_at_a_hook_that_may_be_registered_later(
    hook: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def manager() -> TenantPluginManager:
        return manager_of(entry("a", "builtin.deny_list", hooks=[hook], config=WORDS, required=True))

    await manager().initialize()
    assert [message.partition(";")[0] for message in caplog.messages] == [f'unknown hook "{hook}" of plugin a']
    monkeypatch.setenv("PLUGINS_STRICT_CONFIG", "true")
    with pytest.raises(RuntimeError, match=f'unknown hook "{hook}"; nobody registered it'):
        await manager().initialize()


async def test_c14_hooks_of_modules_that_were_not_imported_are_not_called_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The module of a plugin may register them: a start that ended before it knows nothing of them."""
    manager = manager_of(
        entry("gone", "no_such.Module", required=True), entry("late", "my_app.Late", hooks=["tool_pre_invoked"])
    )
    with pytest.raises(RuntimeError, match="^Plugin initialization failed: gone"):
        await manager.initialize()
    assert not [message for message in caplog.messages if "unknown hook" in message]


async def test_b6_strict_configuration_takes_no_misspelt_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    lenient = manager_of(entry("a", "builtin.deny_list", hooks=["tool_pre_invok"], config=WORDS))
    await lenient.initialize()
    monkeypatch.setenv("PLUGINS_STRICT_CONFIG", "true")
    manager = manager_of(entry("a", "builtin.deny_list", hooks=["tool_pre_invok"], config=WORDS))
    with pytest.raises(RuntimeError, match='unknown hook "tool_pre_invok"'):
        await manager.initialize()


async def test_hooks_that_an_application_has_registered_are_known(caplog: pytest.LogCaptureFixture) -> None:
    registry = get_hook_registry()
    registry.register_hook("tool_pre_invokation", ToolPreInvokePayload, ToolPreInvokeResult)
    try:
        own = entry("a", hooks=["tool_pre_invokation"], config=WORDS, required=True, cls="builtin.deny_list")
        await manager_of(own).initialize()
    finally:
        del registry._hook_payloads["tool_pre_invokation"], registry._hook_results["tool_pre_invokation"]
    assert not caplog.messages
