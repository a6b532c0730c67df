"""What a case is: plain JSON, so that it can be shrunk, printed, sent to another interpreter and kept in a file.

Only the standard library is imported here: both sides read this module.
"""

from typing import Any, Final, Literal, NotRequired, TypedDict

Mode = Literal[
    "sequential",
    "transform",
    "audit",
    "concurrent",
    "fire_and_forget",
    "disabled",
    "enforce",
    "permissive",
    "enforce_ignore_error",
]
Where = Literal["local.state", "local.metadata", "global.state", "global.metadata"]

LEGACY_MODES: Final[dict[Mode, Mode]] = {
    "enforce": "sequential",
    "permissive": "transform",
    "enforce_ignore_error": "sequential",
}

CUSTOM_HOOK: Final = "email_pre_send"
PAYLOADS: Final[dict[str, str]] = {
    "tool_pre_invoke": "ToolPreInvokePayload",
    "tool_post_invoke": "ToolPostInvokePayload",
    "prompt_pre_fetch": "PromptPrehookPayload",
    "prompt_post_fetch": "PromptPosthookPayload",
    "resource_pre_fetch": "ResourcePreFetchPayload",
    "resource_post_fetch": "ResourcePostFetchPayload",
    "agent_pre_invoke": "AgentPreInvokePayload",
    "http_pre_request": "HttpPreRequestPayload",
    "http_auth_check_permission": "HttpAuthCheckPermissionPayload",
    CUSTOM_HOOK: "EmailPayload",
}


class Violation(TypedDict):
    """Fields of a `PluginViolation`."""

    reason: str
    code: str
    description: NotRequired[str]
    details: NotRequired[dict[str, Any]]
    mcp_error_code: NotRequired[int]
    http_status_code: NotRequired[int]
    http_headers: NotRequired[dict[str, str]]


class Change(TypedDict):
    """A `modified_payload`, made from the payload that the plugin saw.

    `copy` and `subclass` apply `update` (fields) and `append` (text after a field); `in_place` returns a copy that
    holds the containers which earlier `edit` steps wrote into; `same` is the very object; the others are of another
    type.
    """

    how: Literal["copy", "subclass", "in_place", "same", "equal", "result_type", "dict", "text", "headers", "context"]
    update: NotRequired[dict[str, Any]]
    append: NotRequired[dict[str, str]]


class Slots(TypedDict):
    """What a plugin writes into slots that not everybody may write."""

    labels: NotRequired[list[str]]
    headers: NotRequired[dict[str, str]]
    request_id: NotRequired[str]
    classification: NotRequired[str]


class Reply(TypedDict):
    """What the plugin returns. Only `kind: result` and `duck` look at the other keys.

    `custom` and `slots` are put into a copy of the extensions that the plugin saw: the `modified_extensions`. Labels
    are added to those that it saw.
    """

    kind: Literal["result", "duck", "none", "dict"]
    allow: NotRequired[bool]
    violation: NotRequired[Violation]
    metadata: NotRequired[dict[str, Any] | None]
    change: NotRequired[Change]
    retry_delay_ms: NotRequired[int]
    http_headers: NotRequired[dict[str, str]]
    denial_metadata: NotRequired[dict[str, Any]]
    custom: NotRequired[dict[str, Any]]
    slots: NotRequired[Slots]


class Failure(TypedDict):
    """An exception. `lookalike` has the name and text of `TimeoutError`, and is not one."""

    kind: Literal["runtime", "key", "timeout", "lookalike", "stop", "cancelled", "base", "plugin_error", "violation"]
    message: str
    code: NotRequired[str]
    details: NotRequired[dict[str, Any]]
    violation: NotRequired[Violation]


class Step(TypedDict):
    """One thing that a plugin does. `reply` and `fail` end the script; without either it allows."""

    do: Literal["yield", "sleep", "hang", "write", "delete", "rebind", "nested", "edit", "reply", "fail"]
    times: NotRequired[int]
    ms: NotRequired[int]
    stubborn: NotRequired[bool]
    where: NotRequired[Where]
    key: NotRequired[str]
    value: NotRequired[Any]
    path: NotRequired[list[str | int]]
    reply: NotRequired[Reply]
    failure: NotRequired[Failure]


Script = list[Step]


class Plugin(TypedDict):
    """A plugin entry of the configuration and what the plugin does, call after call (the last script repeats).

    `kind` is the class of a plugin that somebody else wrote; it has no scripts.
    """

    name: str
    kind: NotRequired[str]
    mode: Mode
    priority: int
    scripts: list[Script]
    on_error: NotRequired[Literal["fail", "ignore", "disable"]]
    conditions: NotRequired[list[dict[str, Any]]]
    hooks: NotRequired[list[str]]
    style: NotRequired[Literal["named", "extensions", "decorated"]]
    capabilities: NotRequired[list[str]]
    config: NotRequired[dict[str, Any]]


class Manager(TypedDict):
    """How the manager is made; `policies` maps a hook to its writable fields."""

    made: Literal["config", "yaml", "borg"]
    timeout: NotRequired[float | None]
    policies: NotRequired[dict[str, list[str]]]
    default_policy: NotRequired[Literal["allow", "deny"]]
    pool: NotRequired[int]
    observed: NotRequired[bool]


class Call(TypedDict):
    """One invocation.

    `hook`, `payload`, `context` and `extensions` stand in for those of the case. `before` is done to the manager
    first. `table` passes the previous returned table, `keep_context` the previous `GlobalContext`. `direct` goes to the
    executor with a list of references that the registry would not give.
    """

    hook: NotRequired[str]
    payload: NotRequired[dict[str, Any]]
    context: NotRequired[dict[str, Any]]
    extensions: NotRequired[dict[str, Any]]
    before: NotRequired[Literal["restart", "enable_again", "unregister"]]
    table: NotRequired[bool]
    keep_context: NotRequired[bool]
    as_exceptions: NotRequired[bool]
    cancel_after_ms: NotRequired[int]
    direct: NotRequired[Literal["reversed", "doubled"]]
    only_plugin: NotRequired[str]
    as_json: NotRequired[bool]


class Case(TypedDict):
    """Everything that both sides are told.

    `{"$model": "module.Model", …}` inside a payload is an instance of that pydantic model. Plugins that wait for
    sockets or threads need a real clock.
    """

    hook: str
    plugins: list[Plugin]
    manager: Manager
    payload: dict[str, Any]
    context: dict[str, Any]
    extensions: NotRequired[dict[str, Any]]
    calls: list[Call]
    clock: NotRequired[Literal["virtual", "real"]]


Observation = dict[str, Any]


def plugin(name: str, mode: Mode, priority: int, *steps: Step) -> Plugin:
    """Returns a plugin with one script."""
    return Plugin(name=name, mode=mode, priority=priority, scripts=[list(steps)])


def tool_case(*plugins: Plugin) -> Case:
    """Returns a case on `tool_pre_invoke` in which everybody shares some nested state."""
    return Case(
        hook="tool_pre_invoke",
        plugins=list(plugins),
        manager={"made": "config"},
        payload={"name": "t", "args": {"a": 1}},
        context={"state": {"n": {"k": 0}, "del": 1}},
        calls=[{}],
    )


def mark(name: str) -> Step:
    """Appends the plugin's name to the tool's and says in the metadata who was last."""
    return Step(
        do="reply",
        reply={"kind": "result", "change": {"how": "copy", "append": {"name": name}}, "metadata": {"last": name}},
    )
