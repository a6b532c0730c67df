"""Results and contexts that the engine leaves unfinished are indistinguishable from those that pydantic builds.

One difference remains: before something is first read, `type(x)` is a class derived from the model's.
"""

from __future__ import annotations

import copy
import pickle
import re
import sys
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from cpex.framework import GlobalContext, PluginContext, PluginResult

from .world import HOOK, PAYLOAD, Scripted, manager_of

STATE = {"n": {"k": [1, {"deep": True}]}, "s": "text"}


def request() -> GlobalContext:
    return GlobalContext(
        request_id="1",
        user="u",
        user_context=None,
        tenant_id="t",
        server_id=None,
        content_type=None,
        state=copy.deepcopy(STATE),
        metadata={"m": 1},
    )


class Showing(Scripted):
    """Keeps its context, without a look at it."""

    context: Any = None

    async def tool_pre_invoke(self, payload: Any, context: PluginContext) -> Any:
        self.context = context
        return PluginResult()


async def nothing() -> None:
    pass


def finished(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine returns that does not suspend. `asyncio.run` would look at it, up to 3.12: it makes a repr."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("suspended")


def invoked() -> tuple[Any, Any, Any]:
    """An unread result, the context in the table, and the same as the plugin has it."""
    plugin = Showing(nothing)
    result, table = finished(manager_of(plugin).invoke_hook(HOOK, PAYLOAD, request()))
    assert table is not None
    (context,) = table.values()
    return result, context, plugin.context


def context_in_table() -> tuple[Any, Any]:
    return invoked()[1], PluginContext(global_context=request())


def context_in_plugin() -> tuple[Any, Any]:
    return invoked()[2], PluginContext(global_context=request())


def result_of_no_plugin() -> tuple[Any, Any]:
    result, _ = finished(manager_of().invoke_hook(HOOK, PAYLOAD, request()))
    return result, PluginResult(modified_payload=None)


MAKERS = [context_in_table, context_in_plugin, result_of_no_plugin]


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__)
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """An unread instance of the engine, and its equal from pydantic."""
    made: tuple[Any, Any] = request.param()
    return made


class Box(BaseModel):
    context: PluginContext | None = None
    result: PluginResult[Any] | None = None


class Strict(BaseModel, strict=True):
    context: PluginContext | None = None
    result: PluginResult[Any] | None = None


class Revalidating(BaseModel, revalidate_instances="always"):
    context: PluginContext | None = None
    result: PluginResult[Any] | None = None


def field_of(instance: Any) -> str:
    return "context" if isinstance(instance, PluginContext) else "result"


def raised(action: Callable[[], Any]) -> str:
    try:
        return f"returned {action()!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


READS: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "vars": vars,
    "dict": dict,
    "list": list,
    "dir": lambda x: sorted(name for name in dir(x) if not name.startswith("_abc")),
    "class": lambda x: x.__class__,
    "class name": lambda x: type(x).__name__,
    "module": lambda x: (type(x).__module__, type(x).__qualname__, type(x).__doc__),
    "hash": lambda x: raised(lambda: hash(x)),
    "fields set": lambda x: x.model_fields_set,
    "fields set, private": lambda x: x.__pydantic_fields_set__,
    "extra": lambda x: (x.model_extra, x.__pydantic_extra__),
    "private": lambda x: x.__pydantic_private__,
    "fields": lambda x: list(type(x).model_fields),
    "dump": lambda x: x.model_dump(),
    "dump json mode": lambda x: x.model_dump(mode="json"),
    "dump json": lambda x: x.model_dump_json(),
    "dump exclude_unset": lambda x: x.model_dump(exclude_unset=True),
    "dump exclude_defaults": lambda x: x.model_dump(exclude_defaults=True),
    "dump json exclude_unset": lambda x: x.model_dump_json(exclude_unset=True),
    "to_jsonable": to_jsonable_python,
    "adapter dump": lambda x: TypeAdapter(Any).dump_python(x),
    "adapter dump json": lambda x: TypeAdapter(Any).dump_json(x),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "model_copy": lambda x: x.model_copy(),
    "model_copy deep": lambda x: x.model_copy(deep=True),
    "model_copy update": lambda x: x.model_copy(update={"metadata": {"z": 1}}),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "pickle 0": lambda x: pickle.loads(pickle.dumps(x, 0)),
    "isinstance": lambda x: (isinstance(x, PluginContext), isinstance(x, PluginResult), isinstance(x, BaseModel)),
    "issubclass": lambda x: issubclass(type(x), x.__class__),
    "missing": lambda x: raised(lambda: x.no_such_attribute),
    "missing private": lambda x: raised(lambda: x._no_such_attribute),
    "hasattr": lambda x: (hasattr(x, "metadata"), hasattr(x, "zzz"), hasattr(x, "__dict__")),
    "getattr": lambda x: getattr(x, "metadata", None),
    "getstate": lambda x: x.__getstate__(),
    "setattr": lambda x: (raised(lambda: setattr(x, "metadata", {"a": 1})), x, x.model_fields_set),
    "setattr, unknown": lambda x: (raised(lambda: setattr(x, "unknown", 1)), x),
    "delattr": lambda x: (raised(lambda: delattr(x, "metadata")), x.__dict__),
    "delattr, unknown": lambda x: raised(lambda: delattr(x, "unknown")),
    "in-place": lambda x: (x.metadata.update(z=1), x) if x.metadata is not None else x,
    "as a field": lambda x: Box(**{field_of(x): x}),
    "as a strict field": lambda x: Strict(**{field_of(x): x}),
    "as a field, again": lambda x: Revalidating(**{field_of(x): x}),
    "in a field, dumped": lambda x: Box(**{field_of(x): x}).model_dump(),
    "in a field, dumped as json": lambda x: Box(**{field_of(x): x}).model_dump_json(),
    "as another's field": lambda x: raised(lambda: Box(**{"result" if field_of(x) == "context" else "context": x}))[
        :60
    ],
    "adapter": lambda x: TypeAdapter(x.__class__).validate_python(x),
    "adapter strict": lambda x: TypeAdapter(x.__class__).validate_python(x, strict=True),
    "adapter instance": lambda x: TypeAdapter(x.__class__).validate_python(x, from_attributes=True),
    "union": lambda x: TypeAdapter(PluginContext | PluginResult[Any] | int).validate_python(x),
    "root": lambda x: RootModel[Any](x),
    "of its type": lambda x: raised(lambda: type(x)()),
    "validated by its type": lambda x: type(x).model_validate(x),
    "validated by its type, from a dict": lambda x: raised(lambda: type(x).model_validate({}))[:80],
    "constructed by its type": lambda x: type(x).model_construct(metadata={"c": 1}),
    "schema of its type": lambda x: raised(lambda: type(x).model_json_schema()),
    "weak": lambda x: weakref.ref(x)() is x,
    "iterate": lambda x: [name for name, _ in x],
    "rich repr": lambda x: list(x.__rich_repr__()),
    "match": lambda x: matched(x),
}
if sys.version_info >= (3, 13):
    READS["replace"] = lambda x: copy.replace(x, metadata={"r": 1})


def matched(instance: Any) -> str:
    match instance:
        case PluginContext(metadata=metadata):
            return f"context {metadata}"
        case PluginResult(metadata=metadata):
            return f"result {metadata}"
    return "nothing"


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_as_the_first_thing(pair: tuple[Any, Any], read: Callable[[Any], Any]) -> None:
    unread, expected = pair
    assert repr(read(unread)) == repr(read(expected))


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_after_it_was_read(pair: tuple[Any, Any], read: Callable[[Any], Any]) -> None:
    unread, expected = pair
    assert type(unread) is not type(expected)
    assert unread.__dict__ == expected.__dict__
    assert type(unread) is type(expected)
    assert repr(read(unread)) == repr(read(expected))


@pytest.mark.parametrize(
    "compare",
    [
        lambda x, y: x == y,
        lambda x, y: y == x,
        lambda x, y: (x != y) is False,
        lambda x, y: copy.copy(x) == y,
        lambda x, y: copy.deepcopy(x) == y,
        lambda x, y: pickle.loads(pickle.dumps(x)) == y,
        lambda x, y: x.model_copy(deep=True) == y,
        lambda x, y: Box(**{field_of(x): x}) == Box(**{field_of(y): y}),
        lambda x, y: x in [y] and y in [x],
        lambda x, y: x == x and x != 7 and x != GlobalContext(request_id="1"),
        lambda x, y: type(x.model_copy()) is type(y),
    ],
)
def test_equality_as_the_first_thing(pair: tuple[Any, Any], compare: Callable[[Any, Any], bool]) -> None:
    assert compare(*pair)


def test_two_unread_ones_are_equal() -> None:
    assert context_in_table()[0] == context_in_table()[0]
    assert result_of_no_plugin()[0] == result_of_no_plugin()[0]


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_result_of_a_plugin(read: Callable[[Any], Any]) -> None:
    """Its execution records carry ids and times, so it is compared with itself, rebuilt by pydantic after the read."""
    one, other = invoked()[0], invoked()[0]
    values = {name: getattr(copy.copy(other), name) for name in type(other).model_fields}
    fields_set = copy.copy(other).model_fields_set
    expected: PluginResult[Any] = PluginResult(**{name: values[name] for name in fields_set})
    assert len(expected.executions or []) == 1
    assert neutral(repr(read(one))) == neutral(repr(read(expected)))


def neutral(text: str) -> str:
    """Without ids and times."""
    text = re.sub(r"[0-9a-f]{32}", "ID", text)
    return re.sub(r"(duration_ns\\?['\"]?[:=] ?)\d+", r"\1N", text)


def test_snapshots_are_the_plugins_own() -> None:
    """A write into an unread context does not reach the caller, read first or not."""
    context = request()
    plugin = Showing(nothing)
    finished(manager_of(plugin).invoke_hook(HOOK, PAYLOAD, context))
    plugin.context.global_context.state["n"]["k"].append("written")
    assert context.state == STATE


def test_unread_context_shows_the_moment_of_the_call() -> None:
    context = request()
    plugin = Showing(nothing)
    finished(manager_of(plugin).invoke_hook(HOOK, PAYLOAD, context))
    context.state["later"] = True
    context.metadata.clear()
    assert plugin.context.global_context.state == STATE
    assert plugin.context.global_context.metadata == {"m": 1}


def test_subclass_of_a_context_is_refused_as_pydantic_does() -> None:
    class Own(PluginContext):
        pass

    with pytest.raises(ValidationError):
        TypeAdapter(Own).validate_python(context_in_table()[0])
