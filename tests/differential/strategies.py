"""Cases for Hypothesis, weighted towards plugins that get in each other's way.

Everything is drawn so that the outcome is settled by the rules of the pipeline and not by a race: no two sleeps or
deadlines of plugins that run side by side fall on the same instant. Strategies are cached by their arguments, since
making one costs more than drawing from it.
"""

from functools import cache
from typing import Any, Final, cast

from hypothesis import strategies as st

from .case import (
    LEGACY_MODES,
    Call,
    Case,
    Change,
    Failure,
    Manager,
    Mode,
    Plugin,
    Reply,
    Script,
    Step,
    Violation,
)
from .values import ARGS, FIELDS, HEADERS, keys, metadata, mostly, one_in, scopes, text, values

NAMES: Final = ("ada", "bob", "cyd", "dee", "eve", "fay", "gus")
# Modulo 1024 no sum of sleeps differs from another by one of these.
TIMEOUTS: Final = (30, 0.5, 1.5, 2.5, 30.0)
ROUND_MS: Final = 1024

_WEIGHTED_MODES: Final[tuple[Mode, ...]] = (
    *("sequential",) * 5,
    *("transform",) * 3,
    *("audit",) * 3,
    *("concurrent",) * 5,
    *("fire_and_forget",) * 2,
    "disabled",
)
_SIDE_BY_SIDE: Final = ("concurrent", "fire_and_forget")
_HOOKS: Final = ("tool_pre_invoke",) * 8 + tuple(FIELDS)
_DEFAULTED: Final = ("args", "metadata", "parameters", "tags")
_WRITABLE: Final = ("args", "headers", "result", "content", "messages", "name", "root", "tags", "granted")


@cache
@st.composite
def violations(draw: st.DrawFn) -> Violation:
    """Draws a violation; some leave the description out."""
    fields: dict[str, Any] = {"reason": draw(st.one_of(text, st.just("é" * 200))), "code": draw(text)}
    if not draw(one_in(10)):
        fields["description"] = draw(text)
    if draw(st.booleans()):
        fields["details"] = draw(ARGS)
        fields["mcp_error_code"] = draw(st.sampled_from((-32603, -32600, 2**40)))
        fields["http_status_code"] = draw(st.sampled_from((403, 429, 42)))
        fields["http_headers"] = draw(HEADERS)
    return cast(Violation, fields)


@cache
@st.composite
def changes(draw: st.DrawFn, hook: str) -> Change:
    """Draws a modified payload, mostly an honest copy."""
    kinds = ("copy",) * 8 + (
        "subclass",
        "in_place",
        "same",
        "equal",
        "dict",
        "text",
        "headers",
        "context",
        "result_type",
    )
    how = draw(st.sampled_from(kinds))
    if hook == "http_pre_request" and draw(mostly):
        how = "headers"
    if hook == "http_auth_check_permission" and draw(mostly):
        how = "result_type"
    change: dict[str, Any] = {"how": how}
    if how in ("headers", "dict", "result_type"):
        change["update"] = draw(HEADERS)
    elif how in ("copy", "subclass", "in_place"):
        fields = FIELDS[hook]
        # A copy is not validated: what pydantic would have made of nested models must be plain data here.
        names = draw(st.sets(st.sampled_from([name for name in fields if name != "headers"]), max_size=2))
        change["update"] = {name: draw(fields[name]) for name in sorted(names)}
        if draw(st.booleans()):
            first = next(iter(fields))
            change["update"].pop(first, None)
            change["append"] = {first: draw(st.sampled_from("xyz"))}
    return cast(Change, change)


@cache
@st.composite
def replies(draw: st.DrawFn, hook: str) -> Reply:
    """Draws what the plugin returns."""
    kind = draw(st.sampled_from(("result",) * 18 + ("duck", "none", "dict")))
    if kind in ("none", "dict"):
        return Reply(kind=kind)
    reply: dict[str, Any] = {"kind": kind}
    deny = draw(one_in(4))
    if deny:
        reply["allow"] = False
    if draw(mostly if deny else one_in(10)):
        reply["violation"] = draw(violations())
    if draw(st.booleans()):
        reply["metadata"] = draw(metadata)
    elif draw(one_in(16)):
        reply["metadata"] = None
    if draw(st.booleans()):
        reply["change"] = draw(changes(hook))
    if draw(one_in(5)):
        reply["retry_delay_ms"] = draw(st.sampled_from((0, 5, 70, 70, -3, 10**12)))
    if draw(one_in(10)):
        reply["http_headers"] = draw(HEADERS)
    if draw(one_in(5)):
        reply["denial_metadata"] = draw(
            st.dictionaries(st.sampled_from(("ok", "a.b", "bad key", "x")), st.one_of(values, st.just(1.5)), max_size=3)
        )
    if draw(one_in(10)):
        reply["custom"] = {"k": draw(st.integers(0, 9))}
    if draw(one_in(10)):
        reply["slots"] = draw(SLOTS)
    return cast(Reply, reply)


SLOTS: Final[st.SearchStrategy[dict[str, Any]]] = st.fixed_dictionaries(
    {},
    optional={
        "labels": st.just(["B"]),
        "headers": st.just({"X-A": "1"}),
        "request_id": st.just("mine"),
        "classification": st.just("public"),
    },
)
CAPABILITIES: Final = st.sampled_from(
    ("read_headers", "write_headers", "read_labels", "append_labels", "read_subject", "read_roles", "read_agent")
)
extensions: Final[st.SearchStrategy[dict[str, Any]]] = st.fixed_dictionaries(
    {"custom": st.just({"k": 1}), "request": st.just({"request_id": "r"})},
    optional={
        "http": st.just({"headers": {"Authorization": "secret"}}),
        "agent": st.just({"agent_id": "a1"}),
        "security": st.just(
            {"labels": ["A"], "classification": "secret", "subject": {"id": "u", "type": "user", "roles": ["r"]}}
        ),
    },
)


@cache
@st.composite
def failures(draw: st.DrawFn) -> Failure:
    """Draws an exception, mostly an ordinary one."""
    kinds = ("runtime",) * 5 + ("plugin_error",) * 3 + ("violation",) * 2
    kind = draw(st.sampled_from((*kinds, "key", "timeout", "timeout", "stop", "cancelled", "base")))
    failure: dict[str, Any] = {"kind": kind, "message": draw(st.one_of(text, st.just("ü" * 200)))}
    if kind == "plugin_error":
        failure["code"] = draw(text)
        failure["details"] = draw(ARGS)
    if kind == "violation" and draw(st.booleans()):
        failure["violation"] = draw(violations())
    return cast(Failure, failure)


@cache
@st.composite
def writes(draw: st.DrawFn, hook: str) -> Step:
    """Draws one side effect."""
    do = draw(st.sampled_from((*("write",) * 7, "rebind", "rebind", "edit", "delete", "nested")))
    if do == "edit":
        field = draw(st.sampled_from(list(FIELDS[hook])))
        path: list[str | int] = [field, *draw(st.lists(st.sampled_from(("a", "n", "X-A")), min_size=1, max_size=2))]
        return Step(do="edit", path=path, value=draw(values))
    step: dict[str, Any] = {"do": do, "where": draw(scopes), "key": draw(keys)}
    if do != "delete":
        step["value"] = draw(st.integers(0, 9) if do == "nested" else values)
    return cast(Step, step)


@cache
@st.composite
def scripts(draw: st.DrawFn, hook: str, mode: Mode, sleep_ms: int) -> Script:
    """Draws what a plugin does in one call; it sleeps at most once, `sleep_ms` and whole rounds."""
    steps: Script = draw(st.lists(writes(hook), max_size=2))
    pause = draw(st.sampled_from((*(None,) * 5, "yield", "yield", "sleep", "sleep", "sleep", "hang")))
    stubborn = mode not in _SIDE_BY_SIDE and draw(one_in(6))
    if pause == "yield" and mode not in _SIDE_BY_SIDE:
        steps.append(Step(do="yield", times=draw(st.integers(1, 3))))
    elif pause == "hang" and mode not in _SIDE_BY_SIDE:
        steps.append(Step(do="hang", stubborn=stubborn))
    elif pause is not None:
        # Plugins that run side by side stay under every timeout: their deadlines would coincide.
        rounds = 0 if mode in _SIDE_BY_SIDE else draw(st.integers(0, 3))
        steps.append(Step(do="sleep", ms=rounds * ROUND_MS + sleep_ms, stubborn=stubborn))
    steps += draw(st.lists(writes(hook), max_size=2))
    ending = draw(st.integers(0, 15))
    if ending == 15:
        steps.append(Step(do="fail", failure=draw(failures())))
    elif ending > 2:
        steps.append(Step(do="reply", reply=draw(replies(hook))))
    return steps


@cache
@st.composite
def conditions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draws a condition list in which each entry has a fair chance to match."""
    entry = st.fixed_dictionaries(
        {},
        optional={
            "tenant_ids": st.sampled_from((["acme"], ["acme", "other"], ["other"], [])),
            "server_ids": st.sampled_from((["s1"], ["s2"])),
            "user_patterns": st.sampled_from((["ali"], ["email"], ["zed"])),
            "content_types": st.sampled_from((["application/json"], ["TEXT/plain; a=b"])),
            "tools": st.sampled_from((["t"], ["search", "t"], ["other"])),
            "prompts": st.sampled_from((["t"], ["other"])),
            "resources": st.sampled_from((["t"], ["other"])),
            "agents": st.sampled_from((["t"], ["other"])),
        },
    )
    return draw(st.lists(entry, min_size=1, max_size=2))


@cache
@st.composite
def plugins(draw: st.DrawFn, hook: str, index: int, legacy: bool) -> Plugin:
    """Draws the plugin that stands at `index` in the configuration."""
    modes = _WEIGHTED_MODES + tuple(LEGACY_MODES) * 2 if legacy else _WEIGHTED_MODES
    mode: Mode = draw(st.sampled_from(modes))
    sleep_ms = 2**index
    plugin = Plugin(
        name=NAMES[index],
        mode=mode,
        priority=draw(st.sampled_from((1, 2, 2, 10, -1, 100))),
        scripts=draw(st.lists(scripts(hook, mode, sleep_ms), min_size=1, max_size=2)),
    )
    if draw(mostly):
        plugin["on_error"] = draw(st.sampled_from(("ignore", "ignore", "ignore", "disable", "disable", "fail")))
    if draw(one_in(5)):
        plugin["conditions"] = draw(conditions())
    if draw(one_in(4)):
        plugin["style"] = draw(st.sampled_from(("extensions", "extensions", "decorated")))
        plugin["capabilities"] = sorted(draw(st.sets(CAPABILITIES, max_size=3)))
    if draw(one_in(10)):
        plugin["config"] = {"threshold": 1, "é" * 200: None}
    if draw(one_in(40)):
        plugin["hooks"] = [hook, hook]
    return plugin


@cache
@st.composite
def managers(draw: st.DrawFn, hook: str) -> Manager:
    """Draws how the manager is made."""
    manager = Manager(made=draw(st.sampled_from(("config", "config", "config", "yaml", "borg"))))
    if draw(st.booleans()):
        manager["timeout"] = draw(st.sampled_from(TIMEOUTS * 3 + (0,)))
    if draw(one_in(3)):
        names = draw(st.sets(st.sampled_from((*_WRITABLE, *FIELDS[hook])), max_size=3))
        manager["policies"] = {draw(st.sampled_from((hook, hook, hook, "other"))): sorted(names)}
    if draw(one_in(5)):
        manager["default_policy"] = draw(st.sampled_from(("allow", "deny")))
    if draw(one_in(5)):
        manager["pool"] = draw(st.sampled_from((0, 1, 2)))
    if draw(one_in(5)):
        manager["observed"] = True
    return manager


@cache
@st.composite
def calls(draw: st.DrawFn, names: tuple[str, ...]) -> Call:
    """Draws one invocation."""
    call = Call()
    if draw(st.booleans()):
        call["table"] = True
    if draw(st.booleans()):
        call["keep_context"] = True
    if draw(one_in(4)):
        call["as_exceptions"] = True
    if draw(one_in(12)):
        call["cancel_after_ms"] = draw(st.integers(0, 2)) * ROUND_MS + 700
    elif draw(one_in(12)):
        call["only_plugin"] = draw(st.sampled_from((*names, "nobody")))
        call["as_json"] = draw(st.booleans())
    elif draw(one_in(12)):
        call["direct"] = draw(st.sampled_from(("reversed", "doubled")))
    if draw(one_in(12)):
        call["before"] = draw(st.sampled_from(("enable_again", "unregister", "restart")))
    return call


contexts: Final[st.SearchStrategy[dict[str, Any]]] = st.fixed_dictionaries(
    {},
    optional={
        "user": st.one_of(st.just("alice"), st.just({"email": "alice@acme.org"})),
        "user_context": st.just({"user_id": "u1", "groups": ["g"]}),
        "tenant_id": st.sampled_from(("acme", "other")),
        "server_id": st.sampled_from(("s1", "s2")),
        "content_type": st.sampled_from(("application/json; charset=utf-8", "text/plain")),
        "state": st.fixed_dictionaries({"n": st.just({"k": 0})}, optional={"k": values, "l": st.just([1])}),
        "metadata": st.fixed_dictionaries({}, optional={"s": text, "n": st.just({"k": 0})}),
    },
)


@cache
@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draws a whole case."""
    hook = draw(st.sampled_from(_HOOKS))
    manager = draw(managers(hook))
    legacy = manager["made"] != "config"
    count = draw(st.sampled_from((1, 2, 3, 4, 5, 6, 7, 0)))
    entries = [draw(plugins(hook, index, legacy)) for index in range(count)]
    if count > 1 and draw(one_in(20)):
        entries[1]["name"] = entries[0]["name"]
    left_out = draw(st.sets(st.sampled_from(_DEFAULTED))) if draw(one_in(4)) else set()
    case = Case(
        hook=hook,
        plugins=entries,
        manager=manager,
        payload={name: draw(field) for name, field in FIELDS[hook].items() if name not in left_out},
        context=draw(contexts),
        calls=draw(st.lists(calls(tuple(plugin["name"] for plugin in entries)), min_size=1, max_size=3)),
    )
    if draw(one_in(4)):
        case["extensions"] = draw(extensions)
    if any("cancel_after_ms" in call for call in case["calls"]):
        _wake(case)
    if _queues_behind_a_halt(case):
        del case["manager"]["pool"]
    return case


def _wake(case: Case) -> None:
    """Lets every plugin be cancelled: who wins when one refuses depends on the version of asyncio."""
    for plugin in case["plugins"]:
        for script in plugin["scripts"]:
            for step in script:
                step.pop("stubborn", None)


def _queues_behind_a_halt(case: Case) -> bool:
    """Says whether a concurrent plugin may wait for its turn while another one ends the phase."""
    waiting = [plugin for plugin in case["plugins"] if plugin["mode"] == "concurrent"]
    ends = (script[-1] for plugin in waiting for script in plugin["scripts"] if script)
    halts = any(step["do"] == "fail" or (step["do"] == "reply" and _refuses(step["reply"])) for step in ends)
    return halts and 0 < case["manager"].get("pool", 0) < len(waiting)


def _refuses(reply: Reply) -> bool:
    return reply["kind"] in ("none", "dict") or not reply.get("allow", True)
