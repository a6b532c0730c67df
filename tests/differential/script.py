"""Plugins that do what a script says and note what they were given."""

import asyncio
import copy
from collections import defaultdict
from collections.abc import Mapping, MutableMapping, MutableSequence
from typing import Any, Final

from pydantic import BaseModel, RootModel, create_model

from cpex.framework import (
    GlobalContext,
    HttpHeaderPayload,
    Plugin,
    PluginContext,
    PluginError,
    PluginErrorModel,
    PluginPayload,
    PluginResult,
    PluginViolation,
    PluginViolationError,
    hook,
)
from cpex.framework.extensions import Extensions, HttpExtension, RequestExtension, SecurityExtension
from cpex.framework.hooks.registry import get_hook_registry

from .case import CUSTOM_HOOK, PAYLOADS, Change, Failure, Reply, Script, Step, Violation
from .observe import dump, tell


class EmailPayload(PluginPayload):
    """The payload of a hook that only the application knows."""

    recipient: str
    subject: str
    headers: HttpHeaderPayload | None = None
    tags: list[str] = []


class Lookalike(Exception):
    """Reads like a `TimeoutError` in every text, and is an ordinary exception."""


class Abort(BaseException):
    """Not an `Exception`: no `on_error` may catch it."""


Lookalike.__name__ = Lookalike.__qualname__ = "TimeoutError"


class Stage:
    """What the plugins of one case are to do and what they saw."""

    def __init__(self, scripts: Mapping[str, list[Script]]) -> None:
        self.scripts = scripts
        self.calls: dict[str, int] = defaultdict(int)
        self.seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.starts: list[str] = []
        self.payload: object = None
        self.context: GlobalContext | None = None

    def next_script(self, name: str) -> Script:
        """Returns what plugin `name` does in its next call."""
        scripts = self.scripts[name]
        index = self.calls[name]
        self.calls[name] += 1
        return scripts[min(index, len(scripts) - 1)]

    def take(self) -> dict[str, Any]:
        """Returns the notes since the last time and forgets them."""
        notes = {"starts": self.starts, "seen": dict(self.seen)}
        self.starts, self.seen = [], defaultdict(list)
        return notes


stage = Stage({})


def set_stage(fresh: Stage) -> None:
    """Makes `fresh` the stage of all scripted plugins."""
    global stage
    stage = fresh


def violation(fields: Violation | None) -> PluginViolation | None:
    """Returns the violation that the case describes."""
    return None if fields is None else PluginViolation(**fields)


_subclasses: dict[type[BaseModel], type[BaseModel]] = {}


def _subclass(model: type[BaseModel]) -> type[BaseModel]:
    if model not in _subclasses:
        _subclasses[model] = create_model(f"Special{model.__name__}", __base__=model, extra_note=(str, "note"))
    return _subclasses[model]


def change_payload(payload: Any, change: Change) -> Any:
    """Returns the `modified_payload` that the case describes, made from what the plugin saw."""
    update = copy.deepcopy(change.get("update", {}))
    match change["how"]:
        case "same":
            return payload
        case "dict":
            return update
        case "text":
            return "not a payload"
        case "context":
            return GlobalContext(request_id="not a payload")
        case "headers":
            return HttpHeaderPayload({key: str(value) for key, value in update.items()})
        case "result_type":
            return _result_payload(update)
    if isinstance(payload, RootModel):
        return type(payload)({**payload.root, **{key: str(value) for key, value in update.items()}})
    if isinstance(payload, dict):
        return {**payload, **update}
    if not isinstance(payload, BaseModel):
        return payload
    fields = type(payload).model_fields
    update = {key: value for key, value in update.items() if key in fields}
    for key, text in change.get("append", {}).items():
        if isinstance(value := getattr(payload, key, None), str):
            update[key] = value + text
    match change["how"]:
        case "equal":
            return payload.model_copy()
        case "in_place":
            return payload.model_copy(update={key: getattr(payload, key) for key in fields} | update)
        case "subclass":
            values = {key: getattr(payload, key) for key in fields} | update
            return _subclass(type(payload)).model_construct(**values)
    return payload.model_copy(update=update)


def _result_payload(update: dict[str, Any]) -> Any:
    from cpex.framework import HttpAuthCheckPermissionResultPayload

    return HttpAuthCheckPermissionResultPayload(granted=bool(update), reason=",".join(sorted(update)) or None)


class Duck:
    """Has the attributes of a `PluginResult` and is none."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.__dict__.update(PluginResult(**fields).__dict__)


def change_extensions(extensions: Extensions, reply: Reply) -> Extensions:
    """Returns a copy of the extensions with what the reply writes into them."""
    slots = reply.get("slots", {})
    update: dict[str, Any] = {"custom": reply["custom"]} if "custom" in reply else {}
    if "headers" in slots:
        update["http"] = HttpExtension(headers=slots["headers"])
    if "request_id" in slots:
        update["request"] = RequestExtension(request_id=slots["request_id"])
    if "labels" in slots or "classification" in slots:
        security = extensions.security or SecurityExtension()
        classification = slots.get("classification", security.classification)
        labels = security.labels | set(slots.get("labels", []))
        update["security"] = security.model_copy(update={"labels": labels, "classification": classification})
    return extensions.model_copy(update=update)


def make_reply(payload: Any, extensions: Extensions | None, reply: Reply) -> Any:
    """Returns the object that the plugin answers with."""
    if reply["kind"] == "none":
        return None
    if reply["kind"] == "dict":
        return {"continue_processing": True}
    fields: dict[str, Any] = {"continue_processing": reply.get("allow", True)}
    for key in ("metadata", "retry_delay_ms", "http_headers", "denial_metadata"):
        if key in reply:
            fields[key] = copy.deepcopy(reply[key])
    if "violation" in reply:
        fields["violation"] = violation(reply["violation"])
    if "change" in reply:
        fields["modified_payload"] = change_payload(payload, reply["change"])
    if "custom" in reply or "slots" in reply:
        fields["modified_extensions"] = change_extensions(extensions or Extensions(), reply)
    return Duck(fields) if reply["kind"] == "duck" else PluginResult(**fields)


def make_failure(failure: Failure) -> BaseException:
    """Returns the exception that the plugin raises."""
    message = failure["message"]
    match failure["kind"]:
        case "key":
            return KeyError(message)
        case "timeout":
            return TimeoutError(message)
        case "lookalike":
            return Lookalike(message)
        case "stop":
            return StopAsyncIteration(message)
        case "cancelled":
            return asyncio.CancelledError(message)
        case "base":
            return Abort(message)
        case "plugin_error":
            details = failure.get("details", {})
            model = PluginErrorModel(
                message=message, plugin_name="inner", code=failure.get("code", ""), details=details
            )
            return PluginError(model)
        case "violation":
            return PluginViolationError(message, violation(failure.get("violation")))
    return RuntimeError(message)


def _table(context: PluginContext, where: str) -> dict[str, Any]:
    holder = context if where.startswith("local") else context.global_context
    table: dict[str, Any] = getattr(holder, where.partition(".")[2])
    return table


def _put(container: Any, key: str | int, value: Any) -> None:
    if isinstance(container, MutableSequence):
        container.append(value)
    elif isinstance(container, MutableMapping):
        container[key] = value
    elif isinstance(container, HttpHeaderPayload):
        container[str(key)] = str(value)


def _edit(payload: Any, path: list[str | int], value: Any) -> None:
    target = payload.root if isinstance(payload, RootModel) else payload
    for key in path[:-1]:
        if isinstance(target, Mapping):
            target = target.get(key)
        elif isinstance(target, MutableSequence):
            target = target[0] if target else None
        else:
            target = getattr(target, str(key), None)
    _put(target, path[-1], value)


async def _sleep_through(ms: int, stubborn: bool) -> None:
    try:
        if ms < 0:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(ms / 1000)
    except asyncio.CancelledError:
        if not stubborn:
            raise


async def _act(step: Step, payload: Any, context: PluginContext) -> None:
    # The script stays as it is when a plugin later edits what it wrote.
    value = copy.deepcopy(step.get("value"))
    match step["do"]:
        case "yield":
            for _ in range(step["times"]):
                await asyncio.sleep(0)
        case "sleep":
            await _sleep_through(step["ms"], step.get("stubborn", False))
        case "hang":
            await _sleep_through(-1, step.get("stubborn", False))
        case "write":
            _table(context, step["where"])[step["key"]] = value
        case "delete":
            _table(context, step["where"]).pop(step["key"], None)
        case "rebind":
            holder = context if step["where"].startswith("local") else context.global_context
            name = step["where"].partition(".")[2]
            setattr(holder, name, {**getattr(holder, name), step["key"]: value})
        case "nested":
            _put(_table(context, step["where"]).get(step["key"]), "k", value)
        case "edit":
            _edit(payload, step["path"], value)


async def play(name: str, payload: Any, context: PluginContext, extensions: Extensions | None = None) -> Any:
    """Does what the script of plugin `name` says; notes what came in and how it ended."""
    here = stage
    caller = here.context
    note: dict[str, Any] = {
        "payload": dump(payload),
        "callers_payload": payload is here.payload,
        "context": dump(context),
        "callers_context": context.global_context is caller,
        "callers_user": caller is not None and context.global_context.user_context is caller.user_context,
        "extensions": dump(extensions),
        "end": "running",
    }
    here.starts.append(name)
    here.seen[name].append(note)
    try:
        result: Any = PluginResult()
        for step in here.next_script(name):
            if step["do"] == "reply":
                result = make_reply(payload, extensions, step["reply"])
                break
            if step["do"] == "fail":
                raise make_failure(step["failure"])
            await _act(step, payload, context)
    except BaseException as error:
        note["end"] = "cancelled" if isinstance(error, asyncio.CancelledError) else tell(error)
        raise
    note["end"] = "returned"
    return result


class Named(Plugin):
    """Finds its hooks by the names of its methods."""


class WithExtensions(Plugin):
    """Takes the third argument."""


class Decorated(Plugin):
    """Finds its hooks by the decorator."""

    @hook(list(PAYLOADS))
    async def guard(self, payload: Any, context: PluginContext) -> Any:
        """Serves every hook."""
        return await play(self.name, payload, context)


async def _two(self: Plugin, payload: Any, context: PluginContext) -> Any:
    return await play(self.name, payload, context)


async def _three(self: Plugin, payload: Any, context: PluginContext, extensions: Any) -> Any:
    return await play(self.name, payload, context, extensions)


KINDS: Final = {"named": "Named", "extensions": "WithExtensions", "decorated": "Decorated"}

for _hook in PAYLOADS:
    setattr(Named, _hook, _two)
    setattr(WithExtensions, _hook, _three)

get_hook_registry().register_hook(CUSTOM_HOOK, EmailPayload, PluginResult[EmailPayload])
