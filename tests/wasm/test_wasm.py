"""`kind: wasm` in a Python application."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from cpex.framework import GlobalContext, PluginManager
from cpex.framework.errors import PluginError
from cpex.framework.extensions import Extensions, SecurityExtension
from cpex.framework.hooks.tools import ToolPostInvokePayload, ToolPreInvokePayload

Managed: TypeAlias = Callable[..., Any]

CONTEXT = GlobalContext(request_id="req-1")


@pytest.fixture
def managed(module: Path, tmp_path: Path) -> Managed:
    """Make managers of the one plugin, whose file lies beside the configuration."""
    shutil.copy(module, tmp_path / "guard.wasm")

    @asynccontextmanager
    async def make(settings: str = "", entry: str = "required: true,") -> AsyncIterator[PluginManager]:
        path = tmp_path / "plugins.yaml"
        path.write_text(
            f"plugins: [{{name: guard, kind: wasm, hooks: [tool_pre_invoke, tool_post_invoke], {entry}\n"
            f"  config: {{module: guard.wasm, {settings}}}}}]\n"
        )
        manager = PluginManager(str(path))
        await manager.initialize()
        try:
            yield manager
        finally:
            await manager.shutdown()

    return make


async def test_it_denies_and_says_so_in_the_log(managed: Managed, caplog: pytest.LogCaptureFixture) -> None:
    async with managed("config: {denied_tools: [shell]}") as manager:
        with caplog.at_level(logging.INFO, "cpex.framework.wasm"):
            result, _ = await manager.invoke_hook("tool_pre_invoke", ToolPreInvokePayload(name="shell"), CONTEXT)
    assert (result.violation.code, result.violation.details) == ("TOOL_DENIED", {"tool": "shell"})
    assert "guard: shell is denied" in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(("capabilities", "allowed"), [("[read_labels]", False), ("[]", True)])
async def test_it_sees_the_extensions_that_its_capabilities_grant(
    managed: Managed, capabilities: str, allowed: bool
) -> None:
    extensions = Extensions(security=SecurityExtension(labels=frozenset({"secret"})))
    async with managed("config: {denied_labels: [secret]}", f"capabilities: {capabilities},") as manager:
        payload = ToolPreInvokePayload(name="search")
        result, _ = await manager.invoke_hook("tool_pre_invoke", payload, CONTEXT, extensions=extensions)
        assert result.continue_processing is allowed
        result, _ = await manager.invoke_hook("tool_pre_invoke", payload, CONTEXT)
        assert result.continue_processing


async def test_it_changes_a_payload(managed: Managed) -> None:
    async with managed("config: {struck_words: [plan]}") as manager:
        payload = ToolPostInvokePayload(name="search", result={"text": "the plan", "more": ["plan"]})
        result, _ = await manager.invoke_hook("tool_post_invoke", payload, CONTEXT)
    assert result.modified_payload.result == {"text": "the █", "more": ["█"]}
    assert result.metadata["struck"] == 2


async def test_what_it_leaves_in_the_context_it_finds_there(managed: Managed) -> None:
    async with managed() as manager:
        contexts = None
        for asked in range(1, 4):
            payload = ToolPreInvokePayload(name="search")
            result, contexts = await manager.invoke_hook("tool_pre_invoke", payload, CONTEXT, contexts)
            assert result.metadata["asked"] == asked


async def test_a_long_call_goes_on_elsewhere_while_others_are_answered(managed: Managed) -> None:
    async with managed("config: {struck_words: [plan]}") as manager:
        long = ToolPostInvokePayload(name="search", result="the plan " * 100_000)
        call = asyncio.create_task(manager.invoke_hook("tool_post_invoke", long, CONTEXT))
        await asyncio.sleep(0)
        assert not call.done(), "it has yielded"
        result, _ = await manager.invoke_hook("tool_pre_invoke", ToolPreInvokePayload(name="search"), CONTEXT)
        assert result.continue_processing
        result, _ = await call
    assert result.metadata["struck"] == 100_000


async def test_a_call_whose_time_is_up_is_a_failure(managed: Managed) -> None:
    async with managed("config: {struck_words: [plan]}", "timeout_ms: 1,") as manager:
        long = ToolPostInvokePayload(name="search", result="the plan " * 100_000)
        with pytest.raises(PluginError, match="1ms|timeout|timed out|exceeded"):
            await manager.invoke_hook("tool_post_invoke", long, CONTEXT)


async def test_a_failure_is_judged(managed: Managed) -> None:
    async with managed("fuel: 40000") as manager:
        long = ToolPostInvokePayload(name="search", result="text " * 10_000)
        with pytest.raises(PluginError, match="more than its 40000 units of fuel"):
            await manager.invoke_hook("tool_post_invoke", long, CONTEXT)


async def test_many_calls_at_a_time_are_answered_each_with_its_own(managed: Managed) -> None:
    async with managed("instances: 4, config: {struck_words: [plan]}") as manager:

        def ask(number: int) -> Coroutine[Any, Any, Any]:
            result = {"number": number, "text": "plan " * (number * 1000)}
            return manager.invoke_hook(  # type: ignore[no-any-return]
                "tool_post_invoke", ToolPostInvokePayload(name="search", result=result), CONTEXT
            )

        results = await asyncio.gather(*(ask(number) for number in range(1, 65)))
    assert [result.modified_payload.result["number"] for result, _ in results] == list(range(1, 65))


@pytest.mark.parametrize(
    ("settings", "where", "problem"),
    [
        ("memory: 64MB", "plugins.yaml:2:", "config.memory: expected bytes"),
        ("modul: x", "plugins.yaml:2:", "unknown field `modul`"),
        (f"sha256: '{'0' * 64}'", "plugins.yaml:2:", "config.sha256: the module is another"),
        ("config: {struck_words: ['']}", "plugins.yaml:2:", "an empty word is everywhere"),
    ],
)
async def test_mistakes_are_told_with_their_place(managed: Managed, settings: str, where: str, problem: str) -> None:
    with pytest.raises(RuntimeError) as raised:
        async with managed(settings):
            pass
    assert where in str(raised.value) and problem in str(raised.value)


async def test_the_pinned_module_is_loaded(managed: Managed, module: Path) -> None:
    digest = hashlib.sha256(module.read_bytes()).hexdigest()
    async with managed(f"sha256: {digest}") as manager:
        assert not manager.load_failures


async def test_a_start_without_end_is_given_up(managed: Managed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpex.framework.wasm._PATIENCE", 0.0)
    # Longer to read than a start is polled where it is made.
    words = ", ".join(f"word{number}" for number in range(50_000))
    with pytest.raises(RuntimeError, match="the plugin did not start within 0.001 seconds"):
        async with managed(f"config: {{struck_words: [{words}]}}", "required: true, timeout_ms: 1,"):
            pass
