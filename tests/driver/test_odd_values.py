"""Odd replies, payloads and contexts end as a Python exception or a judged fault: no crash, no accidental allow."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cpex.framework import (
    GlobalContext,
    PluginContext,
    PluginError,
    PluginPayload,
    PluginResult,
    PluginViolation,
    PluginViolationError,
    TenantPluginManager,
)
from cpex.framework.hooks.policies import HookPayloadPolicy

from .world import HOOK, PAYLOAD, Scripted, manager_of, request

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*NotImplemented.*"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
]

MODES = ("sequential", "transform", "audit", "concurrent", "fire_and_forget")
FIELDS = (
    "continue_processing",
    "modified_payload",
    "modified_extensions",
    "violation",
    "metadata",
    "retry_delay_ms",
    "denial_metadata",
)


class Boom(Exception):
    """Raised by objects that don't like to be looked at."""


class Explosive:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        if name in ("__class__", "__dict__"):
            return object.__getattribute__(self, name)
        raise Boom(name)

    def __eq__(self, other: object) -> bool:
        raise Boom("==")

    def __bool__(self) -> bool:
        raise Boom("bool")

    def __len__(self) -> int:
        raise Boom("len")

    def __iter__(self) -> Any:
        raise Boom("iter")

    def __hash__(self) -> int:
        raise Boom("hash")

    def __repr__(self) -> str:
        raise Boom("repr")

    __str__ = __repr__


class Truthless:
    """Has no truth value."""

    def __bool__(self) -> bool:
        raise Boom("bool")


class Liar:
    """Says it is a result."""

    __class__ = PluginResult  # type: ignore[assignment]


class Half:
    """Has some of the attributes of a result."""

    continue_processing = True
    metadata: dict[str, Any] = {}


class EndlessInt(int):
    """An int that does not convert."""

    def __index__(self) -> int:
        raise Boom("index")


class LoudStr(str):
    """A str that does not like comparisons."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise Boom("==")


class LoudDict(dict[Any, Any]):
    """A dict whose methods raise."""

    def __getitem__(self, key: Any) -> Any:
        raise Boom("getitem")

    def get(self, key: Any, default: Any = None) -> Any:
        raise Boom("get")

    def items(self) -> Any:
        raise Boom("items")

    def update(self, *args: Any, **kwargs: Any) -> None:
        raise Boom("update")


def deep(kind: type[Any], depth: int = 30_000) -> Any:
    """A container in a container in a container…"""
    value: Any = 0
    for _ in range(depth):
        value = [value] if kind is list else {"k": value}
    return value


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


ODD: list[Any] = [
    None,
    0,
    -1,
    10**40,
    -(10**40),
    float("nan"),
    float("-inf"),
    "",
    "text",
    "\ud800",
    b"bytes",
    (),
    [],
    {},
    {1: 2, None: 3},
    {Truthless(): 1},
    object(),
    object,
    PluginResult,
    PluginResult(),
    PluginViolation(reason="r", description="d", code="c"),
    PluginContext(global_context=request()),
    request(),
    Explosive(),
    Truthless(),
    Liar(),
    Half(),
    EndlessInt(7),
    LoudStr("loud"),
    LoudDict(k=1),
    deep(list),
    deep(dict),
    cyclic(),
    lambda: None,
    Boom("as a value"),
    iter([]),
    NotImplemented,
    ...,
]

# By index: Hypothesis would look at the objects.
odd = st.integers(0, len(ODD) - 1)
relaxed = settings(
    max_examples=120,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

EXPECTED = (PluginError, PluginViolationError, Boom, TypeError, ValueError, AttributeError, KeyError, RecursionError)


def survive(manager: TenantPluginManager, payload: Any = PAYLOAD, context: Any = None, **options: Any) -> Any:
    """The result of a call, or the `Exception` it raised, of a kind that Python code could have raised as well."""

    async def main() -> Any:
        try:
            result, table = await manager.invoke_hook(
                HOOK, payload, request() if context is None else context, **options
            )
        except EXPECTED as error:
            look(error)
            look(getattr(error, "executions", None))
            return error
        await result.wait_for_background_tasks()
        for part in (result, table, result.executions, result.report):
            look(part)
        return result

    return asyncio.run(main())


def look(thing: Any) -> None:
    """Reads it all; what is in there may raise what it likes, as long as it is an `Exception`."""
    for read in (repr, lambda x: x.model_dump(), lambda x: x == x, str):
        try:
            read(thing)
        except (Exception, RecursionError):
            continue


def shaped(**fields: Any) -> Any:
    """A PluginResult with any values, past validation."""
    return PluginResult.model_construct(**fields)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at", range(len(ODD)))
def test_odd_replies(mode: str, at: int) -> None:
    async def body() -> Any:
        return ODD[at]

    class Verbatim(Scripted):
        async def tool_pre_invoke(self, payload: Any, context: Any) -> Any:
            return ODD[at]

    outcome = survive(manager_of(Verbatim(body, mode=mode)))
    is_reply = isinstance(ODD[at], PluginResult) and type(ODD[at]) is PluginResult
    if mode != "fire_and_forget":
        assert isinstance(outcome, PluginResult if is_reply else PluginError)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("on_error", ["fail", "ignore", "disable"])
@relaxed
@given(fields=st.dictionaries(st.sampled_from(FIELDS), odd, max_size=4), raising=st.booleans(), drop=st.booleans())
def test_odd_attributes(mode: str, on_error: str, fields: dict[str, int], raising: bool, drop: bool) -> None:
    values = {name: ODD[at] for name, at in fields.items()}

    async def body() -> Any:
        reply = shaped(**values)
        if drop:
            reply.__dict__.pop("metadata", None)
        return reply

    def write(context: PluginContext) -> None:
        context.global_context.state["k"] = values.get("metadata")

    class Writing(Scripted):
        async def tool_pre_invoke(self, payload: Any, context: Any) -> Any:
            write(context)
            return await super().tool_pre_invoke(payload, context)

    policies = {HOOK: HookPayloadPolicy(writable_fields=frozenset({"name"}))}
    both: list[dict[str, Any]] = [{}, {"hook_policies": policies}]
    for options in both:
        manager = manager_of(Writing(body, "a", mode=mode, on_error=on_error), Scripted(again, "b"), **options)
        survive(manager, violations_as_exceptions=raising)


async def again() -> None:
    pass


@relaxed
@given(allow=odd, violation=odd)
def test_a_reply_is_never_an_allow_by_accident(allow: int, violation: int) -> None:
    """Only a true `continue_processing` of a reply that can be read goes on."""
    ran: list[int] = []

    async def body() -> Any:
        return shaped(continue_processing=ODD[allow], violation=ODD[violation])

    async def after() -> None:
        ran.append(1)

    survive(manager_of(Scripted(body, "a", priority=1), Scripted(after, "b", priority=2)))
    try:
        is_true = bool(ODD[allow])
    except Boom:
        is_true = False
    assert is_true or not ran


class Open(PluginPayload):
    """A payload of anything."""

    model_config = {"arbitrary_types_allowed": True, "extra": "allow"}

    args: Any = None
    result: Any = None


@pytest.mark.parametrize("policy", [None, "policy", "deny"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at", range(len(ODD)))
def test_odd_payloads(policy: str | None, mode: str, at: int) -> None:
    value = ODD[at]

    async def body() -> Any:
        return shaped(continue_processing=True, metadata={}, retry_delay_ms=0, modified_payload=value)

    options: dict[str, Any] = {}
    if policy == "policy":
        options["hook_policies"] = {HOOK: HookPayloadPolicy(writable_fields=frozenset({"args", "result", "name"}))}
    elif policy == "deny":
        options["default_hook_policy"] = "deny"
    manager = manager_of(Scripted(body, "a", mode=mode), Scripted(again, "b", mode=mode), **options)
    for payload in (value, Open.model_construct(args=value), Open.model_construct(result=value, more=value)):
        survive(manager, payload)


@pytest.mark.parametrize("at", range(len(ODD)))
@pytest.mark.parametrize("name", ["request_id", "state", "metadata", "user", "tenant_id", "context", "local_contexts"])
def test_odd_contexts(name: str, at: int) -> None:
    value = ODD[at]
    plugins = [Scripted(again, mode, mode=mode, conditions=[{"tenant_ids": ["t"]}, {"tools": ["t"]}]) for mode in MODES]
    plugins.append(Scripted(again, "plain"))
    manager = manager_of(*plugins)
    if name == "local_contexts":
        survive(manager, local_contexts=value)
        return
    context = GlobalContext(request_id="1")
    if name == "context":
        context = value
    else:
        context.__dict__[name] = value
    survive(manager, context=context)


@pytest.mark.parametrize("at", range(len(ODD)))
def test_odd_values_in_the_state(at: int) -> None:
    value = ODD[at]
    context = GlobalContext(request_id="1")
    context.state["value"] = [value]
    context.metadata["value"] = {"k": value}

    class Writing(Scripted):
        async def tool_pre_invoke(self, payload: Any, context: Any) -> Any:
            context.global_context.state["other"] = [value]
            context.global_context.state.pop("value", None)
            context.global_context.metadata["value"] = value
            return PluginResult()

    for mode in MODES:
        survive(manager_of(Writing(again, mode=mode), Scripted(again, "b")), context=context)


@pytest.mark.parametrize("at", range(len(ODD)))
def test_odd_arguments(at: int) -> None:
    """Hook names, contexts, options: whatever is wrong, it is said by an exception."""
    value = ODD[at]
    manager = manager_of(Scripted(again))
    refs = manager._registry.get_hook_refs_for_hook(HOOK)
    valid: list[Any] = [refs, PAYLOAD, request(), HOOK, None, False, None]
    for place in range(len(valid)):
        arguments = [*valid[:place], value, *valid[place + 1 :]]
        try:
            manager.executor._begin(*arguments)
        except EXPECTED:
            continue


@pytest.mark.parametrize("at", range(len(ODD)))
@pytest.mark.parametrize("name", ["timeout", "hook_policies", "default_hook_policy", "observability", "config"])
def test_odd_settings(name: str, at: int) -> None:
    manager = manager_of(Scripted(again))
    try:
        setattr(manager.executor, name, ODD[at])
    except (*EXPECTED, OverflowError):
        return
    survive(manager)


def test_odd_plugins_configuration() -> None:
    """A trusted configuration that is changed to nonsense after registration."""
    for (name, value), mode in itertools.product(
        itertools.product(("mode", "priority", "on_error", "conditions", "timeout_ms", "name"), ODD), MODES
    ):
        plugin = Scripted(again, mode=mode)
        manager = manager_of(plugin)
        (ref,) = manager._registry.get_hook_refs_for_hook(HOOK)
        ref.plugin_ref._trusted_config.__dict__[name] = value
        try:
            survive(manager)
        except OverflowError:
            continue
