"""Built-in plugins in the pipeline: asked in place, judged, recorded and reported as any other plugin."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import logging
import pickle
import resource
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cpex.framework import (
    GlobalContext,
    HookPayloadPolicy,
    PluginConfig,
    PluginContext,
    PluginError,
    PluginPayload,
    PluginResult,
    PluginViolationError,
    TenantPluginManager,
)
from cpex.framework.builtin import BuiltinPlugin
from cpex.framework.manager import PluginExecutor
from cpex.framework.models import Config
from cpex.framework.observability import NullObservability, current_trace_id

from .world import HOOK, Scripted, collect, manager_of, request

MODES = ("sequential", "transform", "audit", "concurrent", "fire_and_forget")


class Payload(PluginPayload):
    name: str = "t"
    args: dict[str, Any] = {}
    note: str = ""


def builtin(kind: str, name: str = "guard", hooks: list[str] | None = None, **fields: Any) -> BuiltinPlugin:
    config = fields.pop("config", {})
    entry = PluginConfig(name=name, kind=f"builtin.{kind}", hooks=hooks or [HOOK], config=config, **fields)
    return BuiltinPlugin(entry)


def denying(name: str = "guard", **fields: Any) -> BuiltinPlugin:
    return builtin("deny_list", name, config={"words": ["forbidden"]}, **fields)


def masking(name: str = "mask", word: str = "secret", mask: str = "[{kind}]", **fields: Any) -> BuiltinPlugin:
    config = {"words": [word], "action": "redact", "redact": {"mask": mask}}
    return builtin("deny_list", name, config=config, **fields)


async def invoke(manager: TenantPluginManager, payload: Any, **arguments: Any) -> PluginResult[Any]:
    result, _ = await manager.invoke_hook(HOOK, payload, request(), **arguments)
    return result


def outcomes(result: PluginResult[Any]) -> list[tuple[str, str]]:
    return [(entry.plugin, entry.outcome) for entry in result.report]


FORBIDDEN = Payload(args={"q": "forbidden"})
SECRET = Payload(args={"q": ["a secret", {"fine": 1}]}, note="fine")


async def test_denial() -> None:
    result = await invoke(manager_of(denying()), FORBIDDEN)
    assert not result.continue_processing and result.violation is not None
    assert (result.violation.code, result.violation.plugin_name) == ("DENIED_WORD", "guard")
    assert result.violation.details == {"denied_word": 1}
    assert result.metadata == {"guard": {"findings": {"denied_word": 1}}}
    [record] = result.executions
    assert (record.requested_allow, record.effective_allow, record.plugin_kind) == (False, False, "builtin.deny_list")
    assert outcomes(result) == [("guard", "denied")]


async def test_denial_as_an_exception() -> None:
    with pytest.raises(PluginViolationError) as raised:
        await invoke(manager_of(denying()), FORBIDDEN, violations_as_exceptions=True)
    assert raised.value.violation is not None and raised.value.violation.code == "DENIED_WORD"


@pytest.mark.parametrize(
    ("mode", "allowed", "outcome"),
    [
        ("sequential", False, "denied"),
        ("concurrent", False, "denied"),
        ("transform", True, "suppressed"),
        ("audit", True, "suppressed"),
        ("fire_and_forget", True, "detached"),
    ],
)
async def test_denial_in_every_mode(mode: str, allowed: bool, outcome: str) -> None:
    result = await invoke(manager_of(denying(mode=mode)), FORBIDDEN)
    assert result.continue_processing is allowed
    assert outcomes(result) == [("guard", outcome)]
    assert await result.wait_for_background_tasks() == []


async def test_change() -> None:
    before = SECRET.model_dump()
    result = await invoke(manager_of(masking()), SECRET)
    changed = result.modified_payload
    assert type(changed) is Payload and changed.args == {"q": ["a [DENIED_WORD]", {"fine": 1}]}
    assert changed.args["q"][1] is SECRET.args["q"][1]
    assert SECRET.model_dump() == before
    assert result.executions[0].payload_modified


@pytest.mark.parametrize("mode", ["sequential", "transform", "audit", "fire_and_forget"])
async def test_change_in_every_mode(mode: str) -> None:
    result = await invoke(manager_of(masking(mode=mode)), SECRET)
    assert (result.modified_payload is not None) == (mode in ("sequential", "transform"))
    await result.wait_for_background_tasks()


async def test_order_and_neighbours() -> None:
    """Each sees what those before it made of the payload, whether they share a walk or not."""
    seen: list[Any] = []

    class Looking(Scripted):
        async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> Any:
            seen.append(payload.args["q"])
            return PluginResult()

    async def nothing() -> None:
        pass

    plugins = [
        masking("first", "one", "two", priority=1),
        masking("second", "two", "three", priority=2),
        Looking(nothing, "python", priority=3),
        masking("third", "three", "four", priority=4),
        masking("fourth", "four", "five", priority=5),
    ]
    result = await invoke(manager_of(*plugins), Payload(args={"q": "one"}))
    assert seen == ["three"]
    assert result.modified_payload is not None and result.modified_payload.args == {"q": "five"}
    counted = result.metadata or {}
    assert {name: found["findings"] for name, found in counted.items()} == {
        name: {"denied_word": 1} for name in ("first", "second", "third", "fourth")
    }


async def test_first_of_neighbours_denies() -> None:
    plugins = [masking("mask", priority=1), denying("guard", priority=2), masking("late", priority=3)]
    result = await invoke(manager_of(*plugins), Payload(args={"q": "secret forbidden"}))
    assert outcomes(result) == [("mask", "ran"), ("guard", "denied"), ("late", "skipped")]


async def test_neighbour_out_of_service() -> None:
    manager = manager_of(masking("a", "one", "two", priority=1), masking("b", "two", "three", priority=2))
    manager._get_executor()._runtime_disabled.add("a")
    result = await invoke(manager, Payload(args={"q": "one two"}))
    assert result.modified_payload is not None and result.modified_payload.args == {"q": "one three"}


async def test_policy_trims() -> None:
    """A field that may not be written keeps its text, and the next plugin sees it."""
    policies = {HOOK: HookPayloadPolicy(writable_fields=frozenset({"args"}))}
    manager = manager_of(masking("a", priority=1), masking("b", priority=2), hook_policies=policies)
    result = await invoke(manager, Payload(args={"q": "secret"}, note="secret"))
    changed = result.modified_payload
    assert changed is not None and changed.args == {"q": "[DENIED_WORD]"} and changed.note == "secret"
    first, second = result.report
    assert first.trimmed_fields == ("note",)
    assert second.trimmed_fields == ("note",) and second.discarded == "none of the changed fields is writable"


async def test_failure() -> None:
    """What cannot be read is a failure of the plugin, never an "allow"."""
    payload = Payload(args={"q": (text for text in ["secret"])})
    with pytest.raises(PluginError, match="cannot be looked into"):
        await invoke(manager_of(denying()), payload)
    result = await invoke(manager_of(denying(on_error="ignore")), payload)
    assert outcomes(result) == [("guard", "failed")]
    manager = manager_of(denying("a", on_error="disable", priority=1), denying("b", on_error="ignore", priority=2))
    assert outcomes(await invoke(manager, payload)) == [("a", "failed"), ("b", "failed")]
    assert outcomes(await invoke(manager, payload)) == [("a", "disabled"), ("b", "failed")]


async def test_no_time() -> None:
    with pytest.raises(PluginError, match="timeout"):
        await invoke(manager_of(denying(), timeout=0), FORBIDDEN)


async def test_conditions() -> None:
    manager = manager_of(denying(conditions=[{"tenant_ids": ["other"]}]), masking(priority=200))
    result = await invoke(manager, FORBIDDEN)
    assert outcomes(result) == [("guard", "skipped"), ("mask", "ran")]


async def test_no_task_no_loop_no_context() -> None:
    """It runs right here: no task is made, context variables are the caller's, nothing is waited for."""
    variable = contextvars.ContextVar("variable", default=1)
    variable.set(2)
    manager = manager_of(denying(), masking(priority=200))
    before = asyncio.all_tasks()
    coroutine = manager.invoke_hook(HOOK, SECRET, request())
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    assert ended.value.value[0].continue_processing
    assert variable.get() == 2 and asyncio.all_tasks() == before


async def test_context_is_in_the_table() -> None:
    plugin = denying()
    manager = manager_of(plugin)
    _, table = await manager.invoke_hook(HOOK, Payload(), request())
    assert table is not None
    [context] = table.values()
    assert isinstance(context, PluginContext) and context.global_context.request_id == "1"
    assert context.state == {}


# As an ordinary plugin, for Python code.


async def test_called_by_hand() -> None:
    method = getattr(denying(), HOOK)
    result = await method(FORBIDDEN, PluginContext(global_context=request()))
    assert isinstance(result, PluginResult) and not result.continue_processing
    assert asyncio.iscoroutinefunction(method)


async def test_alone() -> None:
    manager = manager_of(denying(), masking())
    result = await manager.invoke_hook_for_plugin("guard", HOOK, FORBIDDEN, request())
    assert result.violation is not None and result.violation.plugin_name == "guard"
    with pytest.raises(PluginViolationError):
        await manager.invoke_hook_for_plugin("guard", HOOK, FORBIDDEN, request(), violations_as_exceptions=True)
    masked = await manager.invoke_hook_for_plugin("mask", HOOK, SECRET, request())
    assert masked.modified_payload is not None


async def test_replaced_step_calls_it() -> None:
    called: list[str] = []

    class Executor(PluginExecutor):
        async def _execute_with_timeout(self, hook_ref: Any, *arguments: Any) -> Any:
            called.append(hook_ref.plugin_ref.name)
            return await super()._execute_with_timeout(hook_ref, *arguments)

    manager = manager_of(denying())
    manager._executor = Executor(Config())
    assert not (await invoke(manager, FORBIDDEN)).continue_processing
    assert called == ["guard"]


async def test_wrapped_method_is_called() -> None:
    """Whoever puts something in the place of the method is heard, even if it says that it is the method."""
    plugin = denying()
    answer = getattr(plugin, HOOK)
    handed_on: list[Any] = []

    @functools.wraps(answer)
    async def wrapper(payload: Any, context: Any) -> Any:
        handed_on.append(payload)
        return await answer(payload, context)

    setattr(plugin, HOOK, wrapper)
    assert not (await invoke(manager_of(plugin), FORBIDDEN)).continue_processing
    assert handed_on == [FORBIDDEN]


async def test_spans() -> None:
    """The same spans as of a Python plugin, but for the plugin's name."""

    class Spans(NullObservability):
        def __init__(self) -> None:
            self.lines: list[Any] = []

        def start_span(self, trace_id: str, name: str, *arguments: Any, **fields: Any) -> str:
            self.lines.append(name)
            return name

        def end_span(self, span_id: str | None, status: str = "ok", attributes: Any = None) -> None:
            told = {key: value for key, value in (attributes or {}).items() if "duration" not in key}
            self.lines.append((span_id, status, told))

    async def nothing() -> None:
        pass

    traces: list[list[Any]] = []
    token = current_trace_id.set("trace")
    try:
        for plugin in (denying("p"), Scripted(nothing, "p")):
            spans = Spans()
            await invoke(manager_of(plugin, observability=spans), Payload())
            traces.append(spans.lines)
    finally:
        current_trace_id.reset(token)
    assert traces[0] == traces[1] and len(traces[0]) == 4


async def test_come_and_go() -> None:
    manager = manager_of(masking())
    assert (await invoke(manager, FORBIDDEN)).continue_processing
    manager._registry.register(denying())
    assert not (await invoke(manager, FORBIDDEN)).continue_processing
    manager._registry.unregister("guard")
    assert (await invoke(manager, FORBIDDEN)).continue_processing


# What a plugin keeps from one hook of a request to the next.

PRE, POST = "tool_pre_invoke", "tool_post_invoke"


class Answered(PluginPayload):
    name: str = "t"
    result: Any = None


def breaker(**fields: Any) -> BuiltinPlugin:
    return builtin("circuit_breaker", hooks=[PRE, POST], config={"consecutive": 2}, **fields)


async def called(manager: TenantPluginManager, result: Any, hand_on: bool = True) -> bool:
    before, table = await manager.invoke_hook(PRE, Payload(), request())
    if before.continue_processing:
        await manager.invoke_hook(POST, Answered(result=result), request(), table if hand_on else None)
    return before.continue_processing


async def test_kept_between_hooks() -> None:
    manager = manager_of(breaker())
    failed = {"isError": True}
    assert [await called(manager, failed) for _ in range(4)] == [True, True, False, False]


async def test_kept_by_request_if_contexts_are_not_handed_on() -> None:
    manager = manager_of(breaker())
    failed = {"isError": True}
    assert [await called(manager, failed, hand_on=False) for _ in range(4)] == [True, True, False, False]


async def test_kept_of_another_request() -> None:
    manager = manager_of(breaker())
    for number in range(4):
        before, _ = await manager.invoke_hook(PRE, Payload(), GlobalContext(request_id=f"before-{number}"))
        assert before.continue_processing
        other = GlobalContext(request_id=f"after-{number}")
        await manager.invoke_hook(POST, Answered(result={"isError": True}), other)


async def test_kept_of_a_refused_call() -> None:
    """A probe that another plugin refuses frees its place at once, though the request's identifier remembers it."""
    probing = {"consecutive": 1, "open_for": "1us"}
    words = builtin("deny_list", "words", [PRE], config={"words": ["forbidden"]}, priority=2)
    manager = manager_of(builtin("circuit_breaker", "breaker", [PRE, POST], config=probing, priority=1), words)
    assert await called(manager, {"isError": True}, hand_on=False)
    for _ in range(3):
        refused, _ = await manager.invoke_hook(PRE, Payload(note="forbidden"), request())
        assert refused.violation is not None and refused.violation.code == "DENIED_WORD"
    assert await called(manager, "fine", hand_on=False)
    assert await called(manager, "fine", hand_on=False)


@pytest.mark.parametrize(
    ("kind", "config", "result", "code"),
    [
        ("circuit_breaker", {"consecutive": 1}, {"isError": True}, "CIRCUIT_OPEN"),
        (
            "cost_budget",
            {
                "limits": [{"hard": 10, "within": "1h"}],
                "cost": {"fixed": 1},
                "actual": {"terms": [{"field": "/cost", "price": 1}]},
            },
            {"cost": 10},
            "BUDGET_EXCEEDED",
        ),
    ],
)
async def test_refused_call_gives_up_nothing_of_another(kind: str, config: Any, result: Any, code: str) -> None:
    """A call is remembered though another one with the same contexts is refused before it has ended."""
    words = builtin("deny_list", "words", [PRE], config={"words": ["forbidden"]}, priority=2)
    manager = manager_of(builtin(kind, kind, [PRE, POST], config=config, priority=1), words)
    _, table = await manager.invoke_hook(PRE, Payload(), request())
    refused, _ = await manager.invoke_hook(PRE, Payload(note="forbidden"), request(), table)
    assert refused.violation is not None and refused.violation.code == "DENIED_WORD"
    await manager.invoke_hook(POST, Answered(result=result), request(), table)
    after, _ = await manager.invoke_hook(PRE, Payload(), request())
    assert after.violation is not None and after.violation.code == code


async def test_kept_beside_the_fields() -> None:
    """The context can be dumped, compared, copied and pickled as before."""
    _, table = await manager_of(breaker()).invoke_hook(PRE, Payload(), request())
    assert table is not None
    [context] = table.values()
    assert context.model_dump_json() == PluginContext(global_context=request()).model_dump_json()
    assert context.model_copy(deep=True).state == {}
    assert pickle.loads(pickle.dumps(context)).global_context == context.global_context


# Memory.


@pytest.mark.parametrize("mode", MODES)
def test_collected(mode: str) -> None:
    """plugin → manager → line-up → plugin, and payload → result → payload."""

    class Holding(PluginPayload):
        name: str = "t"
        args: dict[str, Any] = {}

    plugin: Any = denying(mode=mode)
    manager = manager_of(plugin)
    plugin.manager = manager
    payload = Holding(args={"q": "fine"})
    result = asyncio.run(invoke(manager, payload))
    payload.args["result"] = plugin.result = result
    watches: list[weakref.ref[Any]] = [weakref.ref(each) for each in (manager, plugin, result)]
    del manager, plugin, payload, result
    collect()
    assert [watch() for watch in watches] == [None] * 3


@pytest.fixture
def unlogged() -> Iterator[None]:
    """Nothing is logged: pytest would keep it."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("unlogged")
@pytest.mark.parametrize("payload", [FORBIDDEN, SECRET, Payload()])
def test_calls_leave_nothing_behind(payload: Payload) -> None:
    manager = manager_of(masking(priority=1), denying(priority=2), breaker(name="breaker", priority=3))
    context = request()

    async def many(times: int) -> None:
        for _ in range(times):
            await manager.invoke_hook(HOOK, payload, context)

    asyncio.run(many(2000))
    gc.collect()
    before = sys.getallocatedblocks(), len(gc.get_objects()), resident_mb()
    asyncio.run(many(100_000 if payload.args == {} else 20_000))
    gc.collect()
    after = sys.getallocatedblocks(), len(gc.get_objects()), resident_mb()
    blocks, objects, megabytes = (end - start for start, end in zip(before, after, strict=True))
    assert objects < 100 and blocks < 1000 and megabytes < 8


def resident_mb() -> float:
    """What the process takes up in memory, what Rust has allocated included; nothing where there is no `/proc`."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return pages * resource.getpagesize() / 2**20


async def test_user_record_and_tenant() -> None:
    """Limits count for whom the request's context says that it is."""
    limit = {"limits": [{"rate": "1/day", "key": ["user", "tenant"]}]}
    manager = manager_of(builtin("rate_limiter", config=limit))

    async def passes(**who: Any) -> bool:
        result, _ = await manager.invoke_hook(HOOK, Payload(), GlobalContext(request_id="1", **who))
        return bool(result.continue_processing)

    assert await passes(user="alice") and not await passes(user="alice")
    assert await passes(user="alice", tenant_id="b") and not await passes(user="alice", tenant_id="b")
    assert await passes(user={"email": "bob@example.com"}) and not await passes(user={"email": "bob@example.com"})
    assert not await passes(user="bob@example.com")


async def test_refused_limit_says_when_to_try_again() -> None:
    limit = {"limits": [{"rate": "1/day"}]}
    manager = manager_of(builtin("rate_limiter", config=limit))
    await invoke(manager, Payload())
    violation = (await invoke(manager, Payload())).violation
    assert violation is not None and violation.http_status_code == 429
    assert violation.http_headers is not None and int(violation.http_headers["Retry-After"]) > 0
