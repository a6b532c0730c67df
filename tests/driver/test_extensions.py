"""What plugins see and write of the extensions, on their way through the pipeline (X5-X8, B9)."""

from __future__ import annotations

import logging
import types
import weakref
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any

import pytest

from cpex.framework import Plugin, PluginConfig, PluginContext, PluginError, PluginResult
from cpex.framework.extensions import (
    AgentExtension,
    DelegationExtension,
    DelegationHop,
    Extensions,
    HttpExtension,
    RequestExtension,
    SecurityExtension,
    SubjectExtension,
    SubjectType,
    TierViolationError,
)

from .world import HOOK, PAYLOAD, Payload, Remote, collect, manager_of, request

Write = Callable[[Extensions | None], Any]

FIRST = DelegationHop(subject_id="s", subject_type="user", timestamp=datetime(2020, 1, 1, tzinfo=UTC))
SECOND = FIRST.model_copy(update={"subject_id": "t"})
FORGED = FIRST.model_copy(update={"subject_id": "root"})
CHAIN = DelegationExtension(chain=(FIRST,), depth=1, origin_subject_id="s", actor_subject_id="s")
SUBJECT = SubjectExtension(id="i", type=SubjectType.USER, roles=frozenset({"r"}), claims={"c": "1"})
SECURITY = SecurityExtension(labels=frozenset({"A"}), classification="c", subject=SUBJECT)
ALL = Extensions(
    request=RequestExtension(request_id="r"),
    http=HttpExtension(headers={"Authorization": "secret"}),
    agent=AgentExtension(agent_id="g"),
    security=SECURITY,
    delegation=CHAIN,
    custom={"k": 1},
)


class Writer(Plugin):
    """Notes what it is shown, and answers with what a function makes of it."""

    def __init__(self, write: Write | None = None, *capabilities: str, name: str = "p", **fields: Any) -> None:
        super().__init__(PluginConfig(name=name, kind="k", hooks=[HOOK], capabilities=capabilities, **fields))
        self.write = write
        self.seen: list[Extensions | None] = []

    async def tool_pre_invoke(self, payload: Any, context: PluginContext, extensions: Any) -> Any:
        self.seen.append(extensions)
        return answer(self.write(extensions) if self.write else None)


@types.coroutine
def pause() -> Generator[Any, Any, None]:
    yield "paused"


def answer(written: Any) -> PluginResult[Any]:
    return PluginResult(modified_extensions=written)


class Blind(Plugin):
    """Takes no extensions and returns some."""

    def __init__(self, written: Extensions, *capabilities: str, **fields: Any) -> None:
        super().__init__(PluginConfig(name="p", kind="k", hooks=[HOOK], capabilities=capabilities, **fields))
        self.written = written

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> Any:
        return answer(self.written)


def update(**slots: Any) -> Write:
    """Replaces slots of what was shown."""

    def write(shown: Extensions | None) -> Extensions:
        return (shown or Extensions()).model_copy(update=slots)

    return write


def labels(*names: str) -> Write:
    """Adds labels to those that were shown."""

    def write(shown: Extensions | None) -> Extensions:
        security = (shown and shown.security) or SecurityExtension()
        added = security.model_copy(update={"labels": security.labels | set(names)})
        return (shown or Extensions()).model_copy(update={"security": added})

    return write


def only_labels(*names: Any) -> Write:
    """Puts labels in place of those that were shown."""
    return update(security=SECURITY.model_copy(update={"labels": frozenset(names), "subject": None}))


def delegation(*hops: DelegationHop, **fields: Any) -> Write:
    return update(delegation=CHAIN.model_copy(update={"chain": hops, "depth": len(hops), **fields}))


async def run(*plugins: Plugin, extensions: Extensions | None = ALL, **settings: Any) -> PluginResult[Any]:
    result, _ = await manager_of(*plugins, **settings).invoke_hook(HOOK, PAYLOAD, request(), extensions=extensions)
    return result


def labels_of(extensions: Extensions | None) -> list[str]:
    assert extensions is not None and extensions.security is not None
    return sorted(extensions.security.labels)


def refused(result: PluginResult[Any]) -> list[tuple[str, ...]]:
    return [line.refused_extensions for line in result.report]


async def test_label_and_original_label_are_both_in_the_result() -> None:
    """X6: nothing that was hidden is lost, and nothing else has changed."""
    result = await run(Writer(labels("B"), "append_labels"))
    expected = ALL.model_copy(update={"security": SECURITY.model_copy(update={"labels": frozenset({"A", "B"})})})
    assert result.modified_extensions == expected
    assert result.executions[0].extensions_modified
    assert (result.executions[0].matched, result.executions[0].applied) == (True, True)
    assert refused(result) == [()]


@pytest.mark.parametrize("mode", ["sequential", "transform"])
async def test_each_plugin_is_shown_what_those_before_it_made(mode: str) -> None:
    """B9."""
    first = Writer(labels("B"), "append_labels", name="a", priority=1, mode=mode)
    second = Writer(update(custom={"k": 2}), name="b", priority=2, mode=mode)
    third = Writer(None, "read_labels", name="c", priority=3, mode=mode)
    late = Writer(None, "read_labels", name="d", mode="audit")
    result = await run(first, second, third, late)
    shown = [(labels_of(plugin.seen[0]), plugin.seen[0] and plugin.seen[0].custom) for plugin in (first, second)]
    assert shown == [(["A"], {"k": 1}), ([], {"k": 1})]
    shown = [(labels_of(plugin.seen[0]), plugin.seen[0] and plugin.seen[0].custom) for plugin in (third, late)]
    assert shown == [(["A", "B"], {"k": 2})] * 2
    merged = result.modified_extensions
    assert merged is not None
    assert (labels_of(merged), merged.custom, merged.http) == (["A", "B"], {"k": 2}, ALL.http)


async def test_background_plugins_are_shown_what_the_caller_passed() -> None:
    first = Writer(labels("B"), "append_labels", name="a")
    background = Writer(None, "read_labels", name="b", mode="fire_and_forget")
    result = await run(first, background)
    await result.wait_for_background_tasks()
    (seen,) = background.seen
    assert seen is not None and seen.security is not None
    assert seen.security.labels == {"A"}


FORBIDDEN = [
    (
        update(request=RequestExtension(request_id="x")),
        (),
        "request: slot has no write capability and cannot be modified",
    ),
    (update(request=None), (), "request: slot has no write capability and cannot be modified"),
    (update(agent=AgentExtension()), (), "agent: slot has no write capability and cannot be modified"),
    (update(http=HttpExtension(headers={"A": "b"})), (), "http: plugin lacks 'write_headers' capability"),
    (update(http=HttpExtension()), ("read_headers",), "http: plugin lacks 'write_headers' capability"),
    (update(http=None), ("write_headers",), "http: slot cannot be emptied"),
    (labels("B"), (), "security.labels: plugin lacks 'append_labels' capability"),
    (labels("B"), ("read_labels",), "security.labels: plugin lacks 'append_labels' capability"),
    (update(delegation=CHAIN), (), "delegation: plugin lacks 'append_delegation' capability"),
    (update(delegation=None), ("append_delegation",), "delegation: slot cannot be emptied"),
    (delegation(FIRST, actor_subject_id="x"), ("append_delegation",), "delegation: only new hops may be added"),
    (
        update(security=SECURITY.model_copy(update={"labels": frozenset(), "subject": None, "classification": "x"})),
        (),
        "security.classification: slot has no write capability and cannot be modified",
    ),
    (
        update(security=SECURITY.model_copy(update={"labels": frozenset()})),
        ("read_roles", "read_claims"),
        "",
    ),
    (
        update(security=SecurityExtension(classification="c", subject=SUBJECT.model_copy(update={"id": "root"}))),
        ("read_roles", "read_claims"),
        "security.subject: slot has no write capability and cannot be modified",
    ),
    (
        update(security=SecurityExtension(classification="c", subject=SUBJECT.model_copy(update={"roles": {"root"}}))),
        ("read_roles", "read_claims"),
        "security.subject.roles: slot has no write capability and cannot be modified",
    ),
]


@pytest.mark.parametrize(("write", "capabilities", "why"), FORBIDDEN)
@pytest.mark.parametrize("mode", ["sequential", "transform"])
async def test_forbidden_write_is_dropped_and_told(
    mode: str, write: Write, capabilities: tuple[str, ...], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """B9: never silent, and the plugin's other writes stand."""
    result = await run(Writer(write, *capabilities, mode=mode))
    assert result.modified_extensions is None
    assert refused(result) == [(why,) if why else ()]
    assert not result.executions[0].extensions_modified
    assert (result.executions[0].matched, result.executions[0].applied) == (False, False)
    assert [why in record.getMessage() for record in caplog.records] == ([True] if why else [])

    def both(shown: Extensions | None) -> Any:
        return write(shown).model_copy(update={"custom": {"k": 2}})

    result = await run(Writer(both, *capabilities, mode=mode))
    assert result.modified_extensions == ALL.model_copy(update={"custom": {"k": 2}})
    assert refused(result) == [(why,) if why else ()]


ALLOWED: list[tuple[Write, tuple[str, ...], dict[str, Any]]] = [
    (update(http=HttpExtension(headers={"A": "b"})), ("write_headers",), {"http": HttpExtension(headers={"A": "b"})}),
    (update(custom=None), (), {"custom": None}),
    (update(custom={}), (), {"custom": {}}),
    (delegation(FIRST, SECOND), ("append_delegation",), {"delegation": delegation(FIRST, SECOND)(ALL).delegation}),
    (lambda _: Extensions(custom={"k": 2}), ("append_labels", "write_headers"), {"custom": {"k": 2}}),
]


@pytest.mark.parametrize(("write", "capabilities", "changed"), ALLOWED)
async def test_allowed_write_is_merged(write: Write, capabilities: tuple[str, ...], changed: dict[str, Any]) -> None:
    result = await run(Writer(write, *capabilities))
    assert result.modified_extensions == ALL.model_copy(update=changed)
    assert refused(result) == [()]


async def test_origin_of_a_delegation_stays() -> None:
    """B9: the new hop is taken, the forged origin is not."""
    result = await run(Writer(delegation(FIRST, SECOND, origin_subject_id="root"), "append_delegation"))
    merged = result.modified_extensions
    assert merged is not None and merged.delegation is not None
    assert (merged.delegation.chain, merged.delegation.origin_subject_id) == ((FIRST, SECOND), "s")
    assert refused(result) == [("delegation.origin_subject_id: slot has no write capability and cannot be modified",)]


async def test_first_chain_is_taken_with_its_origin() -> None:
    result = await run(Writer(update(delegation=CHAIN), "append_delegation"), extensions=Extensions())
    assert result.modified_extensions == Extensions(delegation=CHAIN)
    assert refused(result) == [()]


BREACHES = [
    (only_labels("B"), "append_labels", "security.labels", "monotonic slot had elements removed"),
    (only_labels(), "append_labels", "security.labels", "monotonic slot had elements removed"),
    (delegation(), "append_delegation", "delegation", "shrank delegation chain (was 1 hops, now 0)"),
    (delegation(FORGED), "append_delegation", "delegation", "modified existing delegation chain hops"),
    (delegation(FORGED, FIRST), "append_delegation", "delegation", "modified existing delegation chain hops"),
]


@pytest.mark.parametrize(("write", "capability", "slot", "detail"), BREACHES)
@pytest.mark.parametrize("mode", ["sequential", "transform"])
async def test_breach_is_the_failure_of_the_plugin(
    mode: str, write: Write, capability: str, slot: str, detail: str
) -> None:
    """B9: as if the plugin had raised it."""

    def breach(shown: Extensions | None) -> Any:
        return write(shown).model_copy(update={"custom": {"k": 9}})

    with pytest.raises(PluginError) as caught:
        await run(Writer(breach, capability, mode=mode))
    cause = caught.value.__cause__
    assert isinstance(cause, TierViolationError)
    assert str(cause) == f"Plugin 'p' violated monotonic tier on '{slot}': {detail}"
    assert (cause.plugin_name, cause.slot) == ("p", slot)
    for on_error in ("ignore", "disable"):
        other = Writer(None, capability, name="other", priority=200, mode=mode)
        manager = manager_of(Writer(breach, capability, mode=mode, on_error=on_error), other)
        result, _ = await manager.invoke_hook(HOOK, PAYLOAD, request(), extensions=ALL)
        assert result.modified_extensions is None
        assert [line.outcome for line in result.report] == ["failed", "ran"]
        assert detail in (result.report[0].detail or "")
        assert other.seen[0] is not None and other.seen[0].custom == {"k": 1}
        assert manager.executor._runtime_disabled == ({"p"} if on_error == "disable" else set())


async def test_failed_plugin_leaves_no_payload() -> None:
    plugin = Writer(None, "append_labels", on_error="ignore")

    async def answers(payload: Any, context: Any, extensions: Any) -> Any:
        return PluginResult(modified_payload=Payload(name="x"), modified_extensions=only_labels()(extensions))

    plugin.tool_pre_invoke = answers  # type: ignore[method-assign]
    result = await run(plugin)
    assert (result.modified_payload, result.modified_extensions) == (None, None)


@pytest.mark.parametrize("mode", ["audit", "concurrent"])
async def test_observers_write_nothing(mode: str) -> None:
    """X5, R4: what an audit plugin returned is recorded as it was, and the report says what became of it."""
    result = await run(Writer(only_labels(), "append_labels", mode=mode))
    assert result.modified_extensions is None
    assert refused(result) == [("security.labels: this mode cannot modify extensions",)]
    assert result.executions[0].extensions_modified is (mode == "audit")


@pytest.mark.parametrize("mode", ["sequential", "transform"])
async def test_a_denial_writes_nothing(mode: str) -> None:
    """P5, P6."""
    plugin = Writer(None, mode=mode, priority=1)
    changed = ALL.model_copy(update={"custom": {"k": 9}})

    async def denies(payload: Any, context: Any, extensions: Any) -> Any:
        return PluginResult(continue_processing=False, modified_extensions=changed)

    plugin.tool_pre_invoke = denies  # type: ignore[method-assign]
    earlier = Writer(update(custom={"k": 2}), name="earlier", mode=mode, priority=0)
    result = await run(earlier, plugin)
    expected = None if mode == "sequential" else ALL.model_copy(update={"custom": {"k": 2}})
    assert result.modified_extensions == expected


def blind(kind: str, written: Extensions, *capabilities: str) -> Plugin:
    """A plugin that is shown nothing: its method has two parameters, or it is an external one."""
    if kind == "two parameters":
        return Blind(written, *capabilities)

    async def reply() -> Any:
        return answer(written)

    return Remote(reply, capabilities=capabilities)


@pytest.mark.parametrize("kind", ["two parameters", "external"])
async def test_plugin_that_is_shown_nothing(kind: str) -> None:
    """B9: what it does not name is not removed, what it names is checked all the same."""
    written = Extensions(security=SecurityExtension(labels=frozenset({"B"})), custom={"k": 2})
    result = await run(blind(kind, written, "append_labels"))
    expected = {"security": SECURITY.model_copy(update={"labels": frozenset({"A", "B"})}), "custom": {"k": 2}}
    assert result.modified_extensions == ALL.model_copy(update=expected)
    assert refused(result) == [()]
    result = await run(blind(kind, written))
    assert result.modified_extensions == ALL.model_copy(update={"custom": {"k": 2}})
    assert refused(result) == [("security.labels: plugin lacks 'append_labels' capability",)]
    result = await run(blind(kind, Extensions(**dict.fromkeys(Extensions.model_fields)), "append_labels"))
    assert (result.modified_extensions, refused(result)) == (None, [()])


@pytest.mark.parametrize("kind", ["two parameters", "external"])
async def test_chain_that_was_not_shown_is_not_replaced(kind: str) -> None:
    forged = Extensions(delegation=CHAIN.model_copy(update={"chain": (FORGED, SECOND)}))
    result = await run(blind(kind, forged, "append_delegation"))
    assert result.modified_extensions is None
    assert refused(result) == [("delegation: plugin was not shown what it would replace",)]
    result = await run(blind(kind, forged, "append_delegation"), extensions=None)
    assert result.modified_extensions == forged


async def test_without_extensions_of_the_caller() -> None:
    plugin = Writer(lambda _: Extensions(security=SecurityExtension(labels=frozenset({"B"}))), "append_labels")
    result = await run(plugin, extensions=None)
    assert plugin.seen == [None]
    assert result.modified_extensions == Extensions(security=SecurityExtension(labels=frozenset({"B"})))
    assert (await run(Writer(None), extensions=None)).modified_extensions is None


async def test_returning_what_was_shown_changes_nothing() -> None:
    result = await run(Writer(lambda shown: shown), Writer(lambda shown: shown, "read_labels", name="q"))
    assert (result.modified_extensions, refused(result)) == (None, [(), ()])


def scribble(shown: Extensions | None) -> Extensions | None:
    """Writes in place into everything that was shown."""
    assert shown is not None and shown.http is not None and shown.custom is not None
    assert shown.security is not None and shown.security.subject is not None
    shown.http.headers["X"] = "y"
    shown.custom["deep"]["k"] = 9
    shown.security.subject.claims["c"] = "2"
    return None


async def test_nothing_is_written_in_place() -> None:
    """B9: neither the caller nor the next plugin, with the same capabilities, sees it."""
    extensions = ALL.model_copy(update={"custom": {"deep": {"k": 1}}}, deep=True)
    before = extensions.model_copy(deep=True)
    granted = ("read_headers", "read_claims")
    second = Writer(None, *granted, name="q")
    await run(Writer(scribble, *granted), second, extensions=extensions)
    assert extensions == before
    (seen,) = second.seen
    assert seen is not None and seen.http is not None
    assert (seen.http, seen.custom) == (before.http, before.custom)
    assert type(seen.http.headers) is dict


async def test_what_is_written_in_place_and_returned_is_judged() -> None:
    extensions = ALL.model_copy(update={"custom": {"deep": {"k": 1}}}, deep=True)

    def write(shown: Extensions | None) -> Any:
        scribble(shown)
        return shown

    result = await run(Writer(write, "write_headers", "read_claims"), extensions=extensions)
    assert refused(result) == [("security.subject.claims: slot has no write capability and cannot be modified",)]
    merged = result.modified_extensions
    assert merged is not None and merged.http is not None
    assert (merged.http.headers["X"], merged.custom) == ("y", {"deep": {"k": 9}})
    assert merged.security == extensions.security


@pytest.mark.parametrize(
    ("write", "capability", "message"),
    [
        (update(http={"headers": {}}), "write_headers", "modified_extensions.http must be an HttpExtension, not dict"),
        (
            update(delegation="x"),
            "append_delegation",
            "modified_extensions.delegation must be a DelegationExtension, not str",
        ),
        (update(custom=[1]), "read_labels", "modified_extensions.custom must be a dict, not list"),
        (
            only_labels(1, 2),
            "append_labels",
            "modified_extensions.security.labels must be a set of texts, not frozenset",
        ),
    ],
)
async def test_slot_with_a_wrong_value_is_a_failure(write: Write, capability: str, message: str) -> None:
    with pytest.raises(PluginError) as caught:
        await run(Writer(write, capability))
    assert str(caught.value.__cause__) == message


@pytest.mark.parametrize("switch", ["warn", "off", "compat"])
async def test_rules_can_be_switched_off(
    switch: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """B9: as 0.1.4 then, raw; `warn` tells what would have been dropped."""
    if switch == "compat":
        monkeypatch.setenv("PLUGINS_COMPAT", "0.1.4")
    else:
        monkeypatch.setenv("PLUGINS_EXTENSION_TIERS", switch)
    caplog.set_level(logging.WARNING)
    raw = Extensions(security=SecurityExtension(labels=frozenset({"B"})))
    second = Writer(lambda _: raw, "append_labels", name="b", priority=101)
    result = await run(Writer(update(custom={"k": 2}), name="a", priority=100), second)
    assert result.modified_extensions is raw
    (seen,) = second.seen
    assert seen is not None
    assert seen.custom == {"k": 1}
    warned = switch == "warn"
    assert bool(refused(result)[1]) is warned
    assert any("against the rules" in record.getMessage() for record in caplog.records) is warned
    assert [record.extensions_modified for record in result.executions] == [True, True]


class Held:
    """Holds a pending call that holds it."""

    call: Any = None


def pending_call() -> weakref.ref[Held]:
    """Leaves a call behind that holds the caller's extensions, what was merged, and what was made of it to show."""
    held = Held()
    waiting = Writer(None, name="q", priority=101)

    async def pauses(payload: Any, context: Any, extensions: Any) -> Any:
        await pause()

    waiting.tool_pre_invoke = pauses  # type: ignore[method-assign]
    manager = manager_of(Writer(update(custom={"k": held})), waiting)
    extensions = Extensions(custom={"k": held})
    held.call = manager.invoke_hook(HOOK, PAYLOAD, request(), extensions=extensions)
    assert held.call.send(None) == "paused"
    return weakref.ref(held)


def test_pending_call_with_extensions_is_collected() -> None:
    held = pending_call()
    collect()
    assert held() is None
