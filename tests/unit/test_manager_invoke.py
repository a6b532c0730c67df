"""Invoking hooks, through the pipeline and for one plugin (M16-M20, B20, B36), and the executor's replaceable steps."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any
from unittest.mock import AsyncMock, MagicMock, patch

import pytest

from cpex.framework import (
    GlobalContext,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginContextTable,
    PluginError,
    PluginManager,
    PluginResult,
    PluginViolation,
    PluginViolationError,
    ToolHookType,
    ToolPostInvokePayload,
    ToolPreInvokePayload,
)
from cpex.framework.base import HookRef, PluginRef
from cpex.framework.manager import PayloadSizeError, PluginExecutor, PluginTimeoutError

PAYLOAD = ToolPreInvokePayload(name="t", args={"a": 1})
HOOK = "tool_pre_invoke"


class Recorder(Plugin):
    """Remembers how it was called."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self.calls: list[tuple[Any, PluginContext]] = []

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        self.calls.append((payload, context))
        return PluginResult(metadata={"by": self.name})


class Deny(Recorder):
    """Denies."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult(
            continue_processing=False,
            violation=PluginViolation(reason="r", description="d", code="c"),
            denial_metadata={"a": 1},
            metadata={"m": 2},
            retry_delay_ms=7,
        )


class Hang(Recorder):
    """Never answers."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        await asyncio.sleep(30)
        raise AssertionError("not cancelled")


def config(name: str = "p", **fields: Any) -> PluginConfig:
    return PluginConfig(name=name, kind="k", hooks=[HOOK], **fields)


@pytest.fixture
def request_context() -> GlobalContext:
    return GlobalContext(request_id="1")


@pytest.fixture
def manager() -> PluginManager:
    return PluginManager(timeout=0.05)


class TestInvokeHook:
    def test_is_a_coroutine_function(self) -> None:
        assert inspect.iscoroutinefunction(PluginManager.invoke_hook)

    async def test_nobody_answers(self, manager: PluginManager, request_context: GlobalContext) -> None:
        result, table = await manager.invoke_hook("no_such_hook", PAYLOAD, request_context)
        assert result == PluginResult(modified_payload=None)
        assert table is None
        assert await manager.executor.execute([], PAYLOAD, request_context, HOOK) == (result, None)

    async def test_works_without_initialize(self, manager: PluginManager, request_context: GlobalContext) -> None:
        plugin = Recorder(config())
        manager._registry.register(plugin)
        result, table = await manager.invoke_hook(HOOK, PAYLOAD, request_context)
        assert result.continue_processing
        assert result.metadata == {"by": "p"}
        assert table is not None
        ref = manager._registry.get_plugin("p")
        assert ref is not None
        assert list(table) == ["1" + ref.uuid]
        assert plugin.calls[0][0] == PAYLOAD

    async def test_enum_hook(self, manager: PluginManager, request_context: GlobalContext) -> None:
        manager._registry.register(Recorder(config()))
        result, _ = await manager.invoke_hook(ToolHookType.TOOL_PRE_INVOKE, PAYLOAD, request_context)
        assert result.metadata == {"by": "p"}

    async def test_references_are_looked_up_at_call_time(
        self, manager: PluginManager, request_context: GlobalContext
    ) -> None:
        refs = [HookRef(HOOK, PluginRef(Recorder(config("elsewhere"))))]
        with patch.object(manager._registry, "get_hook_refs_for_hook", MagicMock(return_value=refs)) as lookup:
            result, _ = await manager.invoke_hook(HOOK, PAYLOAD, request_context)
        lookup.assert_called_once_with(HOOK)
        assert result.metadata == {"by": "elsewhere"}

    async def test_violations_as_exceptions(self, manager: PluginManager, request_context: GlobalContext) -> None:
        manager._registry.register(Deny(config()))
        with pytest.raises(PluginViolationError) as raised:
            await manager.invoke_hook(HOOK, PAYLOAD, request_context, violations_as_exceptions=True)
        assert raised.value.violation is not None
        assert raised.value.violation.code == "c"

    async def test_timeout(self, manager: PluginManager, request_context: GlobalContext) -> None:
        manager._registry.register(Hang(config()))
        with pytest.raises(PluginError) as raised:
            await manager.invoke_hook(HOOK, PAYLOAD, request_context)
        assert raised.value.error.message == "Plugin p exceeded 0.05s timeout"


class TestInvokeHookForPlugin:
    async def test_runs_one_plugin(self, manager: PluginManager, request_context: GlobalContext) -> None:
        plugin = Recorder(config())
        manager._registry.register(plugin)
        result = await manager.invoke_hook_for_plugin("p", HOOK, PAYLOAD, request_context)
        assert result.metadata == {"by": "p"}
        payload, context = plugin.calls[0]
        assert payload is PAYLOAD
        assert isinstance(context, PluginContext)
        assert context.global_context.request_id == "1"

    async def test_given_context_is_used(self, manager: PluginManager, request_context: GlobalContext) -> None:
        plugin = Recorder(config())
        manager._registry.register(plugin)
        given = PluginContext(global_context=request_context)
        await manager.invoke_hook_for_plugin("p", HOOK, PAYLOAD, given)
        assert plugin.calls[0][1] is given

    @pytest.mark.parametrize("payload", ['{"name": "t", "args": {"a": 1}}', {"name": "t", "args": {"a": 1}}])
    async def test_json_payload(
        self, manager: PluginManager, request_context: GlobalContext, payload: str | dict[str, Any]
    ) -> None:
        plugin = Recorder(config())
        manager._registry.register(plugin)
        await manager.invoke_hook_for_plugin("p", HOOK, payload, request_context, payload_as_json=True)
        assert plugin.calls[0][0] == PAYLOAD

    @pytest.mark.parametrize(("plugin", "hook"), [("zz", HOOK), ("p", "zz")])
    async def test_unknown(
        self, manager: PluginManager, request_context: GlobalContext, plugin: str, hook: str
    ) -> None:
        manager._registry.register(Recorder(config()))
        with pytest.raises(PluginError) as raised:
            await manager.invoke_hook_for_plugin(plugin, hook, PAYLOAD, request_context)
        assert raised.value.error.message == (
            f"Unable to find {hook} for plugin {plugin}.  Make sure the plugin is registered."
        )
        assert raised.value.error.plugin_name == plugin

    async def test_payload_of_the_wrong_type(self, manager: PluginManager, request_context: GlobalContext) -> None:
        manager._registry.register(Recorder(config()))
        with pytest.raises(ValueError) as raised:
            await manager.invoke_hook_for_plugin("p", HOOK, {}, request_context)
        assert str(raised.value) == "When payload_as_json=False, payload must be a PluginPayload, got <class 'dict'>"
        with pytest.raises(ValueError) as raised:
            await manager.invoke_hook_for_plugin("p", HOOK, 3, request_context, payload_as_json=True)  # type: ignore[arg-type]
        assert str(raised.value) == "When payload_as_json=True, payload must be str or dict, got <class 'int'>"

    async def test_denial(self, manager: PluginManager, request_context: GlobalContext) -> None:
        manager._registry.register(Deny(config()))
        result = await manager.invoke_hook_for_plugin("p", HOOK, PAYLOAD, request_context)
        assert not result.continue_processing
        assert result.violation is not None
        assert result.violation.plugin_name == "p"
        assert (result.metadata, result.modified_payload, result.http_headers) == (None, None, None)
        assert (result.retry_delay_ms, result.denial_metadata, result.executions) == (0, {"a": 1}, [])

    async def test_denial_as_exception(self, manager: PluginManager, request_context: GlobalContext) -> None:
        manager._registry.register(Deny(config()))
        with pytest.raises(PluginViolationError) as raised:
            await manager.invoke_hook_for_plugin("p", HOOK, PAYLOAD, request_context, violations_as_exceptions=True)
        assert str(raised.value) == "tool_pre_invoke blocked by plugin p: c - r (d)"
        assert raised.value.executions is None
        assert raised.value.denial_outcome is None

    @pytest.mark.parametrize("mode", ["transform", "audit"])
    async def test_mode_decides_blocking(
        self, manager: PluginManager, request_context: GlobalContext, mode: str
    ) -> None:
        manager._registry.register(Deny(config(mode=mode)))
        result = await manager.invoke_hook_for_plugin("p", HOOK, PAYLOAD, request_context)
        assert result.continue_processing
        assert result.violation is None

    async def test_timeout_with_fail(self, manager: PluginManager, request_context: GlobalContext) -> None:
        manager._registry.register(Hang(config()))
        with pytest.raises(PluginError) as raised:
            await manager.invoke_hook_for_plugin("p", HOOK, PAYLOAD, request_context)
        assert raised.value.error.message == "Plugin p exceeded 0.05s timeout"

    @pytest.mark.parametrize("on_error", ["ignore", "disable"])
    async def test_b20_ignored_timeout_continues(
        self, manager: PluginManager, request_context: GlobalContext, on_error: str
    ) -> None:
        manager._registry.register(Hang(config(on_error=on_error)))
        result = await manager.invoke_hook_for_plugin("p", HOOK, PAYLOAD, request_context)
        assert result.continue_processing
        assert manager._runtime_disabled == ({"p"} if on_error == "disable" else set())

    async def test_b20_is_switched_back(self, request_context: GlobalContext, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PLUGINS_COMPAT", "0.1.4")
        manager = PluginManager(timeout=0.05)
        manager._registry.register(Hang(config(on_error="ignore")))
        with pytest.raises(PluginTimeoutError, match="^Plugin p exceeded 0.05s timeout$"):
            await manager.invoke_hook_for_plugin("p", HOOK, PAYLOAD, request_context)


class TestExecutor:
    async def test_reset_runtime_disabled(self) -> None:
        executor = PluginExecutor()
        executor._runtime_disabled.add("p")
        await executor.reset_runtime_disabled()
        assert executor._runtime_disabled == set()

    async def test_execute(self, request_context: GlobalContext) -> None:
        ref = HookRef(HOOK, PluginRef(Recorder(config())))
        result, table = await PluginExecutor().execute([ref], PAYLOAD, request_context, HOOK)
        assert result.metadata == {"by": "p"}
        assert table is not None
        assert len(table) == 1

    async def test_execute_plugin_merges_metadata(self, request_context: GlobalContext) -> None:
        ref = HookRef(HOOK, PluginRef(Recorder(config())))
        metadata: dict[str, Any] = {"kept": 1}
        result = await PluginExecutor().execute_plugin(
            ref, PAYLOAD, PluginContext(global_context=request_context), False, request_context, metadata
        )
        assert result.continue_processing
        assert metadata == {"kept": 1, "by": "p"}

    async def test_plain_call_with_timeout(self, request_context: GlobalContext) -> None:
        executor, context = PluginExecutor(timeout=0.01), PluginContext(global_context=request_context)
        result = await executor._execute_with_timeout(HookRef(HOOK, PluginRef(Recorder(config()))), PAYLOAD, context)
        assert result.metadata == {"by": "p"}
        with pytest.raises(TimeoutError):
            await executor._execute_with_timeout(HookRef(HOOK, PluginRef(Hang(config()))), PAYLOAD, context)

    async def test_b17_plugins_own_timeout(self, request_context: GlobalContext) -> None:
        executor, context = PluginExecutor(timeout=30), PluginContext(global_context=request_context)
        with pytest.raises(TimeoutError):
            ref = HookRef(HOOK, PluginRef(Hang(config(timeout_ms=10))))
            await executor._execute_with_timeout(ref, PAYLOAD, context)

    @pytest.mark.parametrize(
        ("payload", "text"),
        [
            (ToolPreInvokePayload(name="t", args={"a": "x" * 1_000_001}), "Payload size 1000001 exceeds limit"),
            (ToolPostInvokePayload(name="t", result="x" * 1_000_001), "Result size 1000001 exceeds limit"),
        ],
    )
    async def test_payload_size(self, payload: Any, text: str) -> None:
        with pytest.raises(PayloadSizeError, match=f"^{text} of 1000000 bytes$"):
            PluginExecutor()._validate_payload_size(payload)

    @pytest.mark.parametrize(
        "payload",
        [
            None,
            ToolPreInvokePayload(name="x" * 2_000_000),
            ToolPreInvokePayload(name="t", args={"a": "x" * 1_000_000}),
            ToolPreInvokePayload(name="t", args={"k" * 2_000_000: 1}),
        ],
    )
    def test_payload_that_is_not_too_large(self, payload: Any) -> None:
        PluginExecutor()._validate_payload_size(payload)


class TestReplacedSteps:
    """Tests of CPEX users replace these two methods, and `execute`."""

    @pytest.mark.parametrize("name", ["_execute_with_timeout", "_validate_payload_size"])
    def test_engine_is_told(self, name: str) -> None:
        executor = PluginExecutor()
        assert not executor._overridden
        with patch.object(executor, name):
            assert executor._overridden
        assert not executor._overridden
        setattr(executor, name, MagicMock())
        assert executor._overridden
        assert type("Derived", (PluginExecutor,), {name: MagicMock()})()._overridden

    async def test_replaced_call(self, manager: PluginManager, request_context: GlobalContext) -> None:
        manager._registry.register(Recorder(config()))
        replacement = AsyncMock(return_value=PluginResult(metadata={"by": "replacement"}))
        with patch.object(manager.executor, "_execute_with_timeout", replacement):
            result, _ = await manager.invoke_hook(HOOK, PAYLOAD, request_context)
        assert result.metadata == {"by": "replacement"}
        hook_ref, payload, context = replacement.call_args.args
        assert hook_ref is manager._registry.get_plugin_hook_by_name("p", HOOK)
        assert payload == PAYLOAD
        assert isinstance(context, PluginContext)

    async def test_replaced_size_check(self, manager: PluginManager, request_context: GlobalContext) -> None:
        manager._registry.register(Recorder(config()))
        with (
            patch.object(manager.executor, "_validate_payload_size", side_effect=PayloadSizeError("no")) as check,
            pytest.raises(PayloadSizeError, match="^no$"),
        ):
            await manager.invoke_hook(HOOK, PAYLOAD, request_context)
        check.assert_called_once_with(PAYLOAD)

    async def test_replaced_execute(self, manager: PluginManager, request_context: GlobalContext) -> None:
        answer: tuple[PluginResult[Any], PluginContextTable] = (PluginResult(), {})
        with patch.object(manager.executor, "execute", AsyncMock(return_value=answer)) as execute:
            assert await manager.invoke_hook(HOOK, PAYLOAD, request_context) is answer
        execute.assert_awaited_once()
        assert (await manager.invoke_hook(HOOK, PAYLOAD, request_context))[1] is None

    async def test_subclass_that_wraps_execute(self, manager: PluginManager, request_context: GlobalContext) -> None:
        class Counting(PluginExecutor):
            count = 0

            def execute(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
                Counting.count += 1
                return super().execute(*args, **kwargs)

        manager.executor = Counting()
        manager._registry.register(Recorder(config()))
        result, _ = await manager.invoke_hook(HOOK, PAYLOAD, request_context)
        assert result.metadata == {"by": "p"}
        assert Counting.count == 1


async def test_b36_eligible(manager: PluginManager, request_context: GlobalContext) -> None:
    manager._registry.register(Recorder(config("later", priority=20)))
    manager._registry.register(Recorder(config("audit", priority=1, mode="audit")))
    manager._registry.register(Recorder(config("other_tenant", priority=5, conditions=[{"tenant_ids": ["x"]}])))
    manager.executor._runtime_disabled.add("later")
    found = manager.eligible(HOOK, PAYLOAD, request_context)
    assert [ref.plugin_ref.name for ref, _ in found] == ["other_tenant", "later", "audit"]
    assert found[2][1] is None
    assert found[0][1]
    assert found[1][1]
    assert manager.eligible("nothing", PAYLOAD, request_context) == []
