"""What plugins can reach of the caller's payload and request, and the switches that decide about it (B10, B11, B18)."""

from __future__ import annotations

import asyncio
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cpex.framework import (
    GlobalContext,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginPayload,
    PluginResult,
    TenantPluginManager,
    ToolPreInvokePayload,
)
from cpex.framework._switches import switch
from cpex.framework.hooks.policies import HookPayloadPolicy
from cpex.framework.loader.config import ConfigLoader
from cpex.framework.memory import CopyOnWriteDict
from cpex.framework.models import Config, ControlExecutionStatus

HOOK = "tool_pre_invoke"
MODES = ("sequential", "transform", "audit", "concurrent", "fire_and_forget")

Body = Callable[[Any, PluginContext], PluginResult[Any] | None]


class Does(Plugin):
    """Does something with what it is given, and allows."""

    def __init__(self, body: Body, **fields: Any) -> None:
        super().__init__(PluginConfig(name="p", kind="k", hooks=[HOOK], **fields))
        self.body = body

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> PluginResult[Any]:
        return self.body(payload, context) or PluginResult()


def invoke(
    body: Body,
    payload: PluginPayload,
    context: GlobalContext | None = None,
    config: Config | str | None = None,
    policies: dict[str, HookPayloadPolicy] | None = None,
    **fields: Any,
) -> PluginResult[Any]:
    """Runs one plugin, in the background to its end."""
    manager = TenantPluginManager(config or Config(), hook_policies=policies)
    manager._registry.register(Does(body, **fields))

    async def run() -> PluginResult[Any]:
        result, _ = await manager.invoke_hook(HOOK, payload, context or GlobalContext(request_id="1"))
        await result.wait_for_background_tasks()
        return result

    return asyncio.run(run())


def edits_in_place(payload: Any, context: PluginContext) -> None:
    payload.args["n"]["a"] = 9


@pytest.fixture
def payload() -> ToolPreInvokePayload:
    return ToolPreInvokePayload(name="t", args={"n": {"a": 1}})


def config_file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("mode", MODES)
def test_only_those_that_may_modify_share_the_payload(payload: ToolPreInvokePayload, mode: str) -> None:
    invoke(edits_in_place, payload, mode=mode)
    assert payload.args == {"n": {"a": 9 if mode in ("sequential", "transform") else 1}}


@pytest.mark.parametrize("mode", MODES)
def test_isolation_always_in_the_environment(
    payload: ToolPreInvokePayload, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUGINS_ISOLATION", "Always")
    invoke(edits_in_place, payload, mode=mode)
    assert payload.args == {"n": {"a": 1}}


@pytest.mark.parametrize("mode", MODES)
def test_isolation_always_in_the_configuration(payload: ToolPreInvokePayload, mode: str, tmp_path: Path) -> None:
    config = config_file(tmp_path, "plugin_settings: {isolation: always}\n")
    invoke(edits_in_place, payload, config=config, mode=mode)
    assert payload.args == {"n": {"a": 1}}


def test_isolation_keeps_what_is_returned(payload: ToolPreInvokePayload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_ISOLATION", "always")

    def returns_it(payload: Any, context: PluginContext) -> PluginResult[Any]:
        edits_in_place(payload, context)
        return PluginResult(modified_payload=payload)

    result = invoke(returns_it, payload)
    assert result.modified_payload == ToolPreInvokePayload(name="t", args={"n": {"a": 9}})
    assert payload.args == {"n": {"a": 1}}


def test_the_environment_overrides_the_configuration(
    payload: ToolPreInvokePayload, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLUGINS_ISOLATION", "default")
    invoke(edits_in_place, payload, config=config_file(tmp_path, "plugin_settings: {isolation: always}\n"))
    assert payload.args == {"n": {"a": 9}}


def test_execution_detail_in_the_configuration(payload: ToolPreInvokePayload, tmp_path: Path) -> None:
    def fails(payload: Any, context: PluginContext) -> None:
        raise KeyError("x")

    config = config_file(tmp_path, "plugin_settings: {execution_detail: full}\n")
    result = invoke(fails, payload, config=config, on_error="ignore")
    assert [record.status for record in result.executions] == [ControlExecutionStatus.ERROR]
    assert invoke(fails, payload, on_error="ignore").executions[0].status == ControlExecutionStatus.COMPLETED


@pytest.mark.parametrize("variable", ["PLUGINS_ISOLATION", "PLUGINS_EXECUTION_DETAIL"])
def test_a_misspelt_switch_is_an_error(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "allways")
    with pytest.raises(ValueError, match=f"^{variable} must be '(always|full)' or 'default', not 'allways'"):
        TenantPluginManager(Config())


def test_a_misspelt_switch_in_the_configuration_is_an_error(tmp_path: Path) -> None:
    config = config_file(tmp_path, "plugin_settings: {isolation: true}\n")
    expected = r"config\.yaml:1:30: plugin_settings\.isolation must be 'always' or 'default', not True$"
    with pytest.raises(ValueError, match=expected):
        TenantPluginManager(config)


@pytest.mark.parametrize("mode", MODES)
def test_a_user_record_is_a_copy(payload: ToolPreInvokePayload, mode: str) -> None:
    def becomes_admin(payload: Any, context: PluginContext) -> None:
        assert isinstance(context.global_context.user, dict)
        context.global_context.user["role"] = "admin"
        context.global_context.user["groups"].append("root")

    context = GlobalContext(request_id="1", user={"email": "a@b.c", "groups": []})
    invoke(becomes_admin, payload, context, mode=mode)
    assert context.user == {"email": "a@b.c", "groups": []}


def test_the_context_of_a_derived_request_has_the_fields_of_the_base(payload: ToolPreInvokePayload) -> None:
    class Request(GlobalContext):
        secret: str = "s"

    seen = []
    invoke(lambda _, context: seen.append(vars(context.global_context)), payload, Request(request_id="1"))
    assert seen[0].keys() == GlobalContext.model_fields.keys()


def test_a_half_surrogate_does_not_hide_a_user_from_a_pattern(payload: ToolPreInvokePayload) -> None:
    seen: list[Any] = []
    context = GlobalContext(request_id="1", user="\ud800admin")
    invoke(lambda p, _: seen.append(p), payload, context, conditions=[{"user_patterns": ["admin"]}])
    assert seen


Pair = namedtuple("Pair", "first second")


def test_containers_of_other_types_are_copied() -> None:
    class Names(set[str]):
        pass

    args = {"n": [Pair([1], 2), bytearray(b"a"), Names(["a"])]}

    def edits(payload: Any, context: PluginContext) -> None:
        pair, data, names = payload.args["n"]
        pair.first.append(2)
        data.append(98)
        names.add("b")

    invoke(edits, ToolPreInvokePayload(name="t", args=args), mode="audit")
    assert args == {"n": [Pair([1], 2), bytearray(b"a"), {"a"}]}


class Restless:
    """Writes into a dict whenever it is looked at."""

    def __init__(self) -> None:
        self.target: dict[Any, Any] = {}

    def _write(self) -> None:
        self.target[len(self.target)] = None

    def __deepcopy__(self, memo: Any) -> Restless:
        self._write()
        return self

    def __repr__(self) -> str:
        self._write()
        return "restless"

    def __eq__(self, other: object) -> bool:
        self._write()
        return self is other

    __hash__ = object.__hash__


class Opaque:
    """Equal to nothing but itself."""


@dataclass
class Wrapped:
    """Compared by what it holds."""

    inner: Any


class Open(PluginPayload):
    """A payload of anything."""

    args: Any = None
    extra: Any = None
    more: Any = None


def test_a_payload_may_change_while_it_is_copied() -> None:
    restless = Restless()
    payload = Open(extra=restless, more=[1])
    restless.target = vars(payload)
    assert invoke(lambda *_: None, payload, mode="audit").continue_processing


def test_arguments_may_change_while_they_are_measured() -> None:
    restless = Restless()
    nested: dict[Any, Any] = {"c": restless, "d": 1}
    args: dict[Any, Any] = {"a": restless, "b": nested, "e": 1}
    for restless.target in (args, nested):
        assert invoke(lambda *_: None, Open.model_construct(args=args)).continue_processing


def test_state_may_change_while_it_is_written_back(payload: ToolPreInvokePayload) -> None:
    restless = Restless()
    context = GlobalContext(request_id="1", state={"a": restless, "b": 1})

    def writes(payload: Any, context: PluginContext) -> None:
        state = context.global_context.state
        state["a"] = Restless()
        restless.target = state

    assert invoke(writes, payload, context).continue_processing
    assert isinstance(context.state["a"], Restless)


def test_tracking_survives_keys_that_come_back() -> None:
    class Key:
        def __hash__(self) -> int:
            tracked.has_modifications()
            return 1

        def __eq__(self, other: object) -> bool:
            tracked.pop("x", None)
            return self is other

    tracked: CopyOnWriteDict[Any, int] = CopyOnWriteDict({"x": 1})
    keys = [Key(), Key()]
    for key in keys:
        tracked[key] = 1
    del tracked[keys[0]]
    assert tracked.get_modifications() == {keys[1]: 1}
    assert tracked.get_deleted() == {"x", keys[0]}


@pytest.mark.parametrize("opaque", [Opaque(), Wrapped(Opaque())])
@pytest.mark.parametrize("writable", [{"args"}, {"args", "extra"}])
def test_what_is_only_equal_to_itself_is_no_change(
    opaque: object, writable: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A policy's copy of it never equals the original; a plugin that hands it back has not changed it."""

    def changes_another_field(payload: Open, context: PluginContext) -> PluginResult[Any]:
        return PluginResult(modified_payload=payload.model_copy(update={"args": 1}))

    policy = HookPayloadPolicy(writable_fields=frozenset(writable))
    result = invoke(changes_another_field, Open(extra=opaque), policies={HOOK: policy})
    assert result.modified_payload is not None
    assert result.modified_payload.args == 1
    assert result.modified_payload.extra is opaque
    assert result.report[0].trimmed_fields == ()
    assert caplog.messages == []


def test_what_is_edited_in_place_is_a_change() -> None:
    """B10: unlike a copy that no edit has touched, but never equals the original."""

    def edits(payload: Open, context: PluginContext) -> PluginResult[Any]:
        payload.extra.inner.append(2)
        return PluginResult(modified_payload=payload)

    original = Wrapped([1])
    policy = HookPayloadPolicy(writable_fields=frozenset({"extra"}))
    result = invoke(edits, Open(extra=original), policies={HOOK: policy})
    assert result.modified_payload is not None
    assert (result.modified_payload.extra, original) == (Wrapped([1, 2]), Wrapped([1]))


def test_another_object_is_a_change() -> None:
    def replaces(payload: Open, context: PluginContext) -> PluginResult[Any]:
        return PluginResult(modified_payload=payload.model_copy(update={"extra": object()}))

    opaque = Opaque()
    policy = HookPayloadPolicy(writable_fields=frozenset({"args"}))
    result = invoke(replaces, Open(extra=opaque), policies={HOOK: policy})
    assert result.modified_payload is None
    assert result.report[0].trimmed_fields == ("extra",)


def test_the_report_says_why_a_payload_was_not_taken() -> None:
    def answers(payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult(modified_payload=payload.model_copy(update=payload.extra or {}))

    def denies(payload: Any, context: PluginContext) -> PluginResult[Any]:
        return PluginResult(continue_processing=False, modified_payload=payload)

    policies = {HOOK: HookPayloadPolicy(writable_fields=frozenset({"args"}))}
    unchanged = invoke(answers, Open(), policies=policies)
    unwritable = invoke(answers, Open(extra={"more": 1}), policies=policies)
    denied = invoke(denies, Open(), policies=policies)
    assert [result.report[0].discarded for result in (unchanged, unwritable, denied)] == [
        "no field is changed",
        "none of the changed fields is writable",
        "a plugin that denies hands no payload on",
    ]


@pytest.mark.parametrize("mode", MODES)
def test_a_model_made_without_its_constructor_is_copied_as_it_is(mode: str) -> None:
    unfinished = ToolPreInvokePayload.__new__(ToolPreInvokePayload)
    object.__setattr__(unfinished, "__dict__", {"name": "inner", "args": {"a": 1}, "headers": None})
    seen: list[ToolPreInvokePayload] = []
    payload = ToolPreInvokePayload(name="t", args={"inner": unfinished})
    invoke(lambda given, _: seen.append(given.args["inner"]), payload, mode=mode)
    assert [(inner.name, inner.args) for inner in seen] == [("inner", {"a": 1})]
    assert (seen[0] is unfinished) is (mode in ("sequential", "transform"))
    assert not hasattr(seen[0], "__pydantic_fields_set__")


@pytest.mark.parametrize(("written", "taken"), [("off", "off"), ("'off'", "off"), ("warn", "warn"), ("default", None)])
def test_extension_tiers_are_read_as_they_are_written(tmp_path: Path, written: str, taken: str | None) -> None:
    """B9: YAML reads `off` as a truth value."""
    path = tmp_path / "plugins.yaml"
    path.write_text(f"plugins: []\nplugin_settings:\n  extension_tiers: {written}\n")
    assert switch(ConfigLoader.load_config(str(path)), "extension_tiers") == taken


def test_misspelt_extension_tiers_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_EXTENSION_TIERS", "of")
    with pytest.raises(
        ValueError, match=r"PLUGINS_EXTENSION_TIERS must be 'enforce', 'warn', 'off' or 'default', not 'of'"
    ):
        TenantPluginManager(Config())
