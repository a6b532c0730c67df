"""Plugins, their references, and which method answers a hook (M9-M14, M28)."""

from __future__ import annotations

import functools
import inspect
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest

from cpex import _core
from cpex.framework import (
    OnError,
    Plugin,
    PluginCondition,
    PluginConfig,
    PluginError,
    PluginMode,
    ToolPostInvokeResult,
    ToolPreInvokePayload,
    ToolPreInvokeResult,
    hook,
)
from cpex.framework.base import ExternalHookRef, HookRef, PluginRef


def config(name: str = "p", **fields: Any) -> PluginConfig:
    return PluginConfig(name=name, kind="a.B", **{"hooks": ["tool_pre_invoke"], **fields})


class Methods(Plugin):
    """Methods of all shapes."""

    attribute = 3

    async def good(self, payload: Any, context: Any) -> Any: ...

    async def with_extensions(self, payload: Any, context: Any, extensions: Any) -> Any: ...

    async def variadic(self, *args: Any, **kwargs: Any) -> Any: ...

    async def too_few(self, payload: Any) -> Any: ...

    async def too_many(self, payload: Any, context: Any, extensions: Any, *args: Any, **kwargs: Any) -> Any: ...

    def sync(self, payload: Any, context: Any) -> Any: ...

    def sync_too_few(self, payload: Any) -> Any: ...

    @property
    def broken(self) -> Any:
        raise RuntimeError("evaluated")

    @hook(["x", "y"])
    async def zz(self, payload: Any, context: Any, extensions: Any) -> Any: ...

    @hook("y")
    async def aa(self, payload: Any, context: Any) -> Any: ...

    @hook("private")
    async def _private(self, payload: Any, context: Any) -> Any: ...

    @staticmethod
    @hook("static")
    async def on_static(payload: Any, context: Any) -> Any: ...


def bind(name: str) -> HookRef:
    return HookRef(name, PluginRef(Methods(config())))


@pytest.mark.parametrize(
    ("name", "method", "accepts_extensions"),
    [
        ("good", "good", False),
        ("with_extensions", "with_extensions", True),
        ("variadic", "variadic", False),
        ("x", "zz", True),
        ("y", "aa", False),
    ],
)
def test_method_is_found(name: str, method: str, accepts_extensions: bool) -> None:
    ref = bind(name)
    assert ref.name == name
    assert ref.hook == getattr(ref.plugin_ref.plugin, method)
    assert ref.accepts_extensions is accepts_extensions


@pytest.mark.parametrize("name", ["nothing", "private", "static"])
def test_no_method(name: str) -> None:
    with pytest.raises(PluginError) as raised:
        bind(name)
    assert raised.value.error.message == (
        f"Plugin 'p' has no hook: '{name}'. Method must either be named '{name}' or decorated with @hook('{name}')"
    )
    assert raised.value.error.plugin_name == "p"


@pytest.mark.parametrize(
    ("name", "count", "parameters"),
    [
        ("too_few", 1, "['payload']"),
        ("sync_too_few", 1, "['payload']"),
        ("too_many", 5, "['payload', 'context', 'extensions', 'args', 'kwargs']"),
    ],
)
def test_wrong_number_of_parameters(name: str, count: int, parameters: str) -> None:
    with pytest.raises(PluginError) as raised:
        bind(name)
    assert raised.value.error.message == (
        f"Plugin 'p' hook '{name}' has invalid signature. Expected 2 or 3 parameters (payload, context[, extensions]), "
        f"got {count}: {parameters}. Correct signature: async def {name}(self, payload: PayloadType, "
        "context: PluginContext[, extensions: Extensions]) -> ResultType"
    )


def test_not_async() -> None:
    with pytest.raises(PluginError) as raised:
        bind("sync")
    assert raised.value.error.message == (
        "Plugin 'p' hook 'sync' must be async. Method 'sync' is not a coroutine function. "
        "Use 'async def sync(...)' instead of 'def sync(...)'."
    )


def test_not_callable() -> None:
    with pytest.raises(TypeError, match="3 is not a callable object"):
        bind("attribute")


def test_instance_attributes_count() -> None:
    async def answer(extra: int, payload: Any, context: Any) -> Any: ...

    plugin = Methods(config())
    plugin.later = functools.partial(answer, 1)  # type: ignore[attr-defined]
    plugin.mocked = AsyncMock()  # type: ignore[attr-defined]
    assert HookRef("later", PluginRef(plugin)).accepts_extensions is False
    assert HookRef("mocked", PluginRef(plugin)).hook is plugin.mocked  # type: ignore[attr-defined]


async def test_external_hooks_go_through_invoke_hook() -> None:
    class Remote(Plugin):
        async def invoke_hook(self, hook_type: str, payload: Any, context: Any) -> Any:
            return hook_type, payload, context

    ref = ExternalHookRef("any", PluginRef(Remote(config())))
    assert await ref.hook(1, 2) == ("any", 1, 2)
    assert ref.accepts_extensions is False


def test_external_hook_needs_invoke_hook() -> None:
    with pytest.raises(PluginError, match="has no method 'invoke_hook'"):
        ExternalHookRef("any", PluginRef(Methods(config())))


def test_reference_reads_the_trusted_config() -> None:
    plugin = Methods(config("own", tags=["t"]))
    trusted = config(
        "trusted",
        hooks=["b"],
        tags=["u"],
        mode="audit",
        priority=3,
        on_error="ignore",
        conditions=[PluginCondition(tools={"x"})],
        capabilities=["read_agent"],
    )
    ref = PluginRef(plugin, trusted)
    assert ref.trusted_config is trusted
    assert ref.plugin is plugin
    assert (ref.name, ref.hooks, ref.tags, ref.priority) == ("trusted", ["b"], ["u"], 3)
    assert (ref.mode, ref.on_error) == (PluginMode.AUDIT, OnError.IGNORE)
    assert ref.conditions == [PluginCondition(tools={"x"})]
    assert ref.capabilities == frozenset({"read_agent"})


def test_reference_falls_back_to_the_plugins_config() -> None:
    plugin = Methods(config())
    assert PluginRef(plugin).trusted_config is plugin.config


def test_uuid_is_32_hex_digits_and_new_each_time() -> None:
    plugin = Methods(config())
    first, second = PluginRef(plugin), PluginRef(plugin)
    assert len(first.uuid) == 32
    assert first.uuid == first._uuid.hex
    assert first.uuid != second.uuid


@pytest.mark.parametrize("attribute", ["_func", "_accepts_extensions"])
def test_changed_hook_reference_is_compiled_again(attribute: str) -> None:
    ref = bind("good")
    with patch.object(_core, "touch") as touch:
        setattr(ref, attribute, getattr(ref, attribute))
    touch.assert_called_once_with()


def test_changed_plugin_reference_is_compiled_again() -> None:
    ref = PluginRef(Methods(config()))
    with patch.object(_core, "touch") as touch:
        ref._trusted_config = config(priority=1)
    touch.assert_called_once_with()
    assert ref.priority == 1


async def test_plugin_shows_its_config() -> None:
    plugin = Methods(config(tags=["t"], priority=7, mode="audit"))
    assert (plugin.name, plugin.hooks, plugin.tags, plugin.priority) == ("p", ["tool_pre_invoke"], ["t"], 7)
    assert plugin.mode == PluginMode.AUDIT
    assert plugin.conditions == []
    assert plugin.config is plugin._config
    await plugin.initialize()
    await plugin.shutdown()


class TestJson:
    def test_registered_hook(self) -> None:
        plugin = Methods(config())
        expected = ToolPreInvokePayload(name="x", args={"a": 1})
        assert plugin.json_to_payload("tool_pre_invoke", '{"name": "x", "args": {"a": 1}}') == expected
        assert plugin.json_to_payload("tool_pre_invoke", {"name": "x", "args": {"a": 1}}) == expected
        assert type(plugin.json_to_result("tool_pre_invoke", "{}")) is ToolPreInvokeResult

    def test_own_types_come_first(self) -> None:
        class Own(ToolPreInvokePayload):
            extra: int = 0

        plugin = Methods(config(), hook_payloads={"q": Own}, hook_results={"q": ToolPostInvokeResult})
        assert plugin.json_to_payload("q", {"name": "a", "extra": 2}) == Own(name="a", extra=2)
        assert type(plugin.json_to_result("q", {})) is ToolPostInvokeResult

    def test_unknown_hook(self) -> None:
        plugin = Methods(config())
        with pytest.raises(PluginError) as raised:
            plugin.json_to_payload("h", {})
        assert raised.value.error.message == "No payload defined for hook h."
        with pytest.raises(PluginError) as raised:
            plugin.json_to_result("h", "{}")
        assert raised.value.error.message == "No result defined for hook h."


class TestTypeHints:
    """`HookRef._validate_type_hints` exists for callers; registration does not use it (M13)."""

    class Annotated(Plugin):
        async def right(self, payload: ToolPreInvokePayload, context: Any) -> ToolPreInvokeResult: ...  # type: ignore[empty-body]

        async def wrong(self, payload: str, context: Any) -> ToolPreInvokeResult: ...  # type: ignore[empty-body]

        async def bare(self, payload, context): ...  # type: ignore[no-untyped-def]

        async def no_return(self, payload: ToolPreInvokePayload, context): ...  # type: ignore[no-untyped-def]

        async def wrong_return(self, payload: ToolPreInvokePayload, context: Any) -> str: ...  # type: ignore[empty-body]

    @pytest.mark.parametrize(
        ("method", "problem"),
        [
            ("right", None),
            (
                "wrong",
                "parameter 'payload' has incorrect type hint. Expected: ToolPreInvokePayload, Got: <class 'str'>",
            ),
            ("bare", "missing type hint for parameter 'payload'. Expected: payload: ToolPreInvokePayload"),
            ("no_return", "missing return type hint. Expected: -> PluginResult[ToolPreInvokePayload]"),
            (
                "wrong_return",
                "has incorrect return type hint. Expected: PluginResult[ToolPreInvokePayload], Got: <class 'str'>",
            ),
        ],
    )
    def test_check(self, method: str, problem: str | None) -> None:
        func = getattr(self.Annotated(config()), method)
        params = list(inspect.signature(func).parameters.values())
        ref = bind("good")
        if problem is None:
            ref._validate_type_hints("tool_pre_invoke", func, params, "n")
            return
        with pytest.raises(PluginError) as raised:
            ref._validate_type_hints("tool_pre_invoke", func, params, "n")
        assert raised.value.error.message == f"Plugin 'n' hook 'tool_pre_invoke' {problem}"

    def test_unregistered_hook_has_no_types(self) -> None:
        func = self.Annotated(config()).bare
        bind("good")._validate_type_hints("custom", func, list(inspect.signature(func).parameters.values()), "n")
