"""Probes: one call of a hook and what comes back."""

import asyncio
import contextvars
import json
from pathlib import Path
from typing import Any, ClassVar

from cpex.framework import (
    Plugin,
    PluginCondition,
    PluginContext,
    PluginResult,
    PromptPosthookPayload,
    TenantPluginManager,
)
from cpex.framework.models import Config, PluginMode

from .kit import HOOK, Ran, call, entry, invoked, request, started

WHO: contextvars.ContextVar[str] = contextvars.ContextVar("WHO", default="nobody")


class Edits(Plugin):
    """Writes into the arguments in place."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        payload.args["deep"]["a"] = 9
        return PluginResult[Any]()


class Raises(Plugin):
    """Fails."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        raise RuntimeError("no")


class Hangs(Plugin):
    """Never answers."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        await asyncio.get_running_loop().create_future()
        raise AssertionError


class Waits(Plugin):
    """Waits to be released, and writes down how it ended."""

    release: ClassVar[asyncio.Event]
    endings: ClassVar[list[str]]

    @classmethod
    def start(cls) -> None:
        """Forgets earlier calls."""
        cls.release, cls.endings = asyncio.Event(), []

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.endings.append("cancelled")
            raise
        self.endings.append("ran on")
        return PluginResult[Any]()

    async def shutdown(self) -> None:
        self.endings.append("shut down")


class Swallows(Plugin):
    """Answers when it is cancelled."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return PluginResult[Any](metadata={"swallowed": True})
        raise AssertionError


class Looks(Plugin):
    """Says on which task it runs, and sets a context variable."""

    task: ClassVar[Any] = None

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        Looks.task = asyncio.current_task()
        WHO.set("plugin")
        return PluginResult[Any]()


class Answers(Plugin):
    """Answers with a result in which something is of a wrong type."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        answer = PluginResult[Any](continue_processing=not payload.args.get("deny", False))
        vars(answer).update(payload.args["wrong"])
        if payload.args.get("state"):
            vars(context.global_context)["state"] = 7
        return answer


async def edited_without_policy(folder: Path) -> Any:
    """Returns the caller's arguments after a sequential plugin has edited them in place, everything being isolated."""
    manager = await started(entry(Edits), plugin_settings={"isolation": "always"})
    payload = call(deep={"a": 1})
    await invoked(manager, payload)
    return payload.args


async def sibling_of_a_failure(folder: Path) -> list[str]:
    """Returns how a concurrent plugin ends whose sibling has raised."""
    Waits.start()
    manager = await started(
        entry(Raises, "a", mode="concurrent", on_error="fail"), entry(Waits, "b", mode="concurrent", on_error="fail")
    )
    try:
        await invoked(manager)
    except Exception:
        Waits.release.set()
        for _ in range(20):
            await asyncio.sleep(0)
    return Waits.endings


async def own_time_limit(folder: Path) -> Any:
    """Returns the record of a plugin that has 20 ms, under a manager that gives one second."""
    manager = await started(entry(Hangs, timeout_ms=20, on_error="ignore"), timeout=1)
    (record,) = (await invoked(manager)).executions
    return [record.status.value, record.reason]


async def records_of_failures(folder: Path) -> Any:
    """Returns the records of a failed and of a skipped plugin."""
    manager = await started(
        entry(Raises, "a", on_error="ignore"),
        entry(Ran, "b", conditions=[PluginCondition(tools={"other"})]),
        plugin_settings={"execution_detail": "full"},
    )
    return sorted([record.plugin_name, record.status.value] for record in (await invoked(manager)).executions)


async def reported(folder: Path) -> Any:
    """Returns what the report says of a failed and of a skipped plugin, and the records beside it."""
    manager = await started(
        entry(Raises, "a", on_error="ignore"), entry(Ran, "b", conditions=[PluginCondition(tools={"other"})])
    )
    result = await invoked(manager)
    report = sorted([each.plugin, each.outcome] for each in getattr(result, "report", ()))
    return [report, [record.status.value for record in result.executions], "report" in result.model_dump()]


async def eligible(folder: Path) -> Any:
    """Returns who would run and who is skipped for what reason."""
    manager = await started(entry(Ran, "b", conditions=[PluginCondition(tools={"other"})]), entry(Ran, "a"))
    listed = manager.eligible(HOOK, call(), request())  # type: ignore[attr-defined, unused-ignore]
    return [[ref.plugin_ref.name, reason is None] for ref, reason in listed]


async def runs_on_the_callers_task(folder: Path) -> Any:
    """Says whether a serial plugin runs on the caller's task, and which context variable it leaves."""
    WHO.set("caller")
    await invoked(await started(entry(Looks)))
    return [Looks.task is asyncio.current_task(), WHO.get()]


async def swallowed_cancellation(folder: Path) -> Any:
    """Returns what a caller gets whose plugin answers when it is cancelled."""
    task = asyncio.create_task(invoked(await started(entry(Swallows))))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return None if task.cancelled() else task.result().metadata


async def types_of_results(folder: Path) -> Any:
    """Says of what type a result and a plugin's context are, and what they look like."""
    manager = await started(entry(Ran))
    result, table = await manager.invoke_hook(HOOK, call(), request())
    (context,) = (table or {}).values()
    seen = [type(result) is PluginResult, type(context) is PluginContext]
    return [
        *seen,
        isinstance(result, PluginResult),
        context.__class__ is PluginContext,
        context == context.model_copy(),
    ]


async def answered(folder: Path, on_error: str, args: dict[str, Any]) -> Any:
    """Returns whether processing goes on after a plugin has answered with something wrong."""
    manager = await started(entry(Answers, on_error=on_error))
    return (await invoked(manager, call(**args))).continue_processing


async def large_payload(folder: Path, size: int) -> str:
    """Calls a hook with nested text that `repr` would write at twice its length."""
    await invoked(await started(entry(Ran)), call(nested=["\n" * size]))
    return "taken"


def odd_result(folder: Path) -> Any:
    """Returns the result of a payload whose keys are no text."""
    return json.dumps(PromptPosthookPayload(prompt_id="p", result={1: 2}).result)


async def background_at_shutdown(folder: Path) -> list[str]:
    """Returns the order in which a background plugin ends and its plugin is shut down."""
    Waits.start()
    manager = await started(entry(Waits, mode="fire_and_forget"))
    await invoked(manager)
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(0.05, Waits.release.set)
    await manager.shutdown()
    while "ran on" not in Waits.endings:
        await asyncio.sleep(0.01)
    return Waits.endings


async def condition_changed_in_place(folder: Path) -> Any:
    """Returns who runs after a plugin's only condition was taken away in place."""
    plugin = Ran(entry(Ran, conditions=[PluginCondition(tools={"other"})]))
    manager = TenantPluginManager(Config())
    manager._registry.register(plugin)
    await invoked(manager)
    assert plugin.config.conditions is not None
    plugin.config.conditions.clear()
    changed = (await invoked(manager)).metadata
    manager._registry.register(Ran(entry(Ran, "b", mode=PluginMode.SEQUENTIAL)))
    return [changed, (await invoked(manager)).metadata]


class ReturnsNothing(Plugin):
    """Forgets to return a result."""

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> Any:
        return None


async def failure_without_a_result(folder: Path) -> list[str]:
    """Returns the failure of a plugin that returns nothing, and that of a call without a context."""
    failures = []
    for plugin, context in ((ReturnsNothing, request()), (Ran, None)):
        manager = await started(entry(plugin))
        try:
            await manager.invoke_hook(HOOK, call(), context)  # type: ignore[arg-type]
        except Exception as error:
            failures.append(f"{type(error).__name__}: {error}")
    return failures
