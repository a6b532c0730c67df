"""The instance registry (M7, M14, M15, B4, B8)."""

from __future__ import annotations

import logging
import threading
from typing import Any
from unittest.mock import patch

import pytest

from cpex import _core
from cpex.framework import (
    Plugin,
    PluginConfig,
    PluginError,
    PluginPayload,
    PluginResult,
    ToolPreInvokePayload,
    ToolPreInvokeResult,
    get_hook_registry,
    hook,
)
from cpex.framework.base import ExternalHookRef
from cpex.framework.registry import PluginInstanceRegistry


class Sample(Plugin):
    """Answers `first` and `second`."""

    async def first(self, payload: Any, context: Any) -> Any: ...

    async def second(self, payload: Any, context: Any) -> Any: ...


def plugin(name: str, *hooks: str, priority: int = 100, kind: type[Plugin] = Sample) -> Plugin:
    return kind(PluginConfig(name=name, kind="k", hooks=list(hooks or ("first",)), priority=priority))


@pytest.fixture
def registry() -> PluginInstanceRegistry:
    return PluginInstanceRegistry()


def names(registry: PluginInstanceRegistry, hook_type: str) -> list[str]:
    return [ref.plugin_ref.name for ref in registry.get_hook_refs_for_hook(hook_type)]


def test_empty(registry: PluginInstanceRegistry) -> None:
    assert registry.plugin_count == 0
    assert registry.get_all_plugins() == []
    assert registry.get_plugin("p") is None
    assert registry.get_hook_refs_for_hook("first") == []
    assert registry.get_plugin_hook_by_name("p", "first") is None
    assert not registry.has_hooks_for("first")


def test_register(registry: PluginInstanceRegistry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    registered = plugin("p", "first", "second")
    registry.register(registered)
    ref = registry.get_plugin("p")
    assert ref is not None
    assert ref.plugin is registered
    assert registry.plugin_count == 1
    assert registry.has_hooks_for("second")
    hook_ref = registry.get_plugin_hook_by_name("p", "second")
    assert hook_ref is not None
    assert hook_ref.plugin_ref is ref
    assert registry.get_hook_refs_for_hook("second") == [hook_ref]
    assert "Registered plugin: p with hooks: ['first', 'second']" in caplog.messages


def test_order_is_priority_then_registration(registry: PluginInstanceRegistry) -> None:
    for name, priority in (("z", 5), ("a", 5), ("y", 1), ("b", 100)):
        registry.register(plugin(name, priority=priority))
    assert names(registry, "first") == ["y", "z", "a", "b"]


def test_trusted_config_decides_priority(registry: PluginInstanceRegistry) -> None:
    registry.register(plugin("a", priority=10))
    registry.register(plugin("b", priority=50), trusted_config=PluginConfig(name="b", kind="k", priority=1))
    assert names(registry, "first") == ["b", "a"]


def test_list_is_the_same_until_something_changes(registry: PluginInstanceRegistry) -> None:
    registry.register(plugin("a"))
    first = registry.get_hook_refs_for_hook("first")
    assert registry.get_hook_refs_for_hook("first") is first
    assert registry._priority_cache["first"] is first
    registry.register(plugin("b"))
    second = registry.get_hook_refs_for_hook("first")
    assert second is not first
    registry.unregister("a")
    assert names(registry, "first") == ["b"]


def test_changes_reach_the_engine(registry: PluginInstanceRegistry) -> None:
    with patch.object(_core, "touch") as touch:
        registry.register(plugin("a"))
        assert touch.called
        touch.reset_mock()
        registry.unregister("a")
        assert touch.called


def test_duplicate_name(registry: PluginInstanceRegistry) -> None:
    registry.register(plugin("p"))
    with pytest.raises(ValueError, match="^Plugin p already registered$"):
        registry.register(plugin("p"))
    assert len(names(registry, "first")) == 1


def test_b8_registration_is_all_or_nothing(registry: PluginInstanceRegistry) -> None:
    with pytest.raises(PluginError, match="has no hook: 'nah'"):
        registry.register(plugin("p", "first", "nah"))
    assert registry.plugin_count == 0
    assert registry.get_plugin("p") is None
    assert registry.get_plugin_hook_by_name("p", "first") is None
    assert not registry.has_hooks_for("first")
    assert names(registry, "first") == []


def test_b8_hook_listed_twice_counts_once(registry: PluginInstanceRegistry) -> None:
    registry.register(plugin("p", "first", "first"))
    assert names(registry, "first") == ["p"]


def test_name_and_hooks_come_from_the_plugin(registry: PluginInstanceRegistry) -> None:
    registry.register(plugin("own", "first"), trusted_config=PluginConfig(name="trusted", kind="k", hooks=["second"]))
    assert registry.get_plugin("trusted") is None
    assert registry.get_plugin("own") is not None
    assert registry.has_hooks_for("first")
    assert not registry.has_hooks_for("second")


def test_unregister(registry: PluginInstanceRegistry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    registry.unregister("nobody")
    registry.register(plugin("p"))
    registry.unregister("p")
    assert registry.plugin_count == 0
    assert not registry.has_hooks_for("first")
    assert registry.get_plugin_hook_by_name("p", "first") is None
    assert [message for message in caplog.messages if "nregistered" in message] == ["Unregistered plugin: p"]
    registry.register(plugin("p"))
    assert names(registry, "first") == ["p"]


async def test_plugin_with_invoke_hook_is_external(registry: PluginInstanceRegistry) -> None:
    class Remote(Sample):
        async def invoke_hook(self, hook_type: str, payload: Any, context: Any) -> Any:
            return hook_type

    registry.register(plugin("remote", "first", "anything", kind=Remote))
    hook_ref = registry.get_plugin_hook_by_name("remote", "anything")
    assert isinstance(hook_ref, ExternalHookRef)
    assert await hook_ref.hook(None, None) == "anything"
    first = registry.get_plugin_hook_by_name("remote", "first")
    assert first is not None
    assert await first.hook(None, None) == "first"


async def test_shutdown(registry: PluginInstanceRegistry, caplog: pytest.LogCaptureFixture) -> None:
    order: list[str] = []

    class Closing(Sample):
        async def shutdown(self) -> None:
            order.append(self.name)
            if self.name == "b":
                raise RuntimeError("boom shut")

    for name in "abc":
        registry.register(plugin(name, kind=Closing))
    await registry.shutdown()
    assert order == ["c", "b", "a"]
    assert "Error shutting down plugin b: boom shut" in caplog.messages
    assert registry.plugin_count == 0
    assert names(registry, "first") == []
    assert registry.get_plugin_hook_by_name("a", "first") is None  # B8


class OwnPayload(PluginPayload):
    """Payload of a hook that a plugin brings along."""

    text: str


OwnResult = PluginResult[OwnPayload]


class Declares(Plugin):
    """Brings its own hook, and names other types for a built-in one."""

    @hook("own_hook", OwnPayload, OwnResult)
    async def own(self, payload: Any, context: Any) -> Any: ...

    @hook("tool_pre_invoke", OwnPayload, OwnResult)
    async def tool(self, payload: Any, context: Any) -> Any: ...

    @hook("half", OwnPayload)
    async def half(self, payload: Any, context: Any) -> Any: ...


def test_b4_declared_types_are_registered_if_the_name_is_free(registry: PluginInstanceRegistry) -> None:
    hooks = get_hook_registry()
    assert not hooks.is_registered("own_hook")
    registry.register(plugin("p", "own_hook", "tool_pre_invoke", "half", kind=Declares))
    assert hooks.get_payload_type("own_hook") is OwnPayload
    assert hooks.get_result_type("own_hook") is OwnResult
    assert hooks.get_payload_type("tool_pre_invoke") is ToolPreInvokePayload
    assert hooks.get_result_type("tool_pre_invoke") is ToolPreInvokeResult
    assert not hooks.is_registered("half")


def test_threads_see_every_registration(registry: PluginInstanceRegistry) -> None:
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            registry.get_hook_refs_for_hook("first")

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for number in range(200):
            registry.register(plugin(str(number)))
            assert len(registry.get_hook_refs_for_hook("first")) == number + 1
    finally:
        stop.set()
        for reader in readers:
            reader.join()
