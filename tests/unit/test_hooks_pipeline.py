"""Every built-in hook, through a manager: what plugins are given and what callers get back (H1, C5, H7, I12, P4)."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest

from cpex.framework import (
    GlobalContext,
    Plugin,
    PluginConfig,
    PluginResult,
    TenantPluginManager,
    get_hook_registry,
    hook,
)
from cpex.framework.cmf.message import Message, Role, TextContent
from cpex.framework.extensions import Extensions, HttpExtension, SecurityExtension, SubjectExtension, SubjectType
from cpex.framework.hooks.agents import AgentHookType, AgentPostInvokePayload, AgentPreInvokePayload
from cpex.framework.hooks.http import (
    HttpAuthCheckPermissionPayload,
    HttpAuthCheckPermissionResultPayload,
    HttpAuthResolveUserPayload,
    HttpHeaderPayload,
    HttpHookType,
    HttpPostRequestPayload,
    HttpPreRequestPayload,
)
from cpex.framework.hooks.identity import (
    DelegationPayload,
    DelegationResult,
    IdentityHookType,
    IdentityPayload,
    IdentityResult,
)
from cpex.framework.hooks.message import CmfHookType, MessageHookType, MessagePayload
from cpex.framework.hooks.prompts import PromptHookType, PromptPosthookPayload, PromptPrehookPayload
from cpex.framework.hooks.resources import ResourceHookType, ResourcePostFetchPayload, ResourcePreFetchPayload
from cpex.framework.hooks.tools import ToolHookType, ToolPostInvokePayload, ToolPreInvokePayload
from cpex.framework.models import Config

REQUEST = GlobalContext(request_id="1")
HEADERS = HttpHeaderPayload({"A": "1"})
SAID = MessagePayload(message=Message(role=Role.USER, content=[TextContent(text="hi")]))
TOKEN = IdentityPayload.model_validate({"raw_token": "s3cret"})
TARGET = DelegationPayload.model_validate({"target_name": "t", "bearer_token": "s3cret"})
REQUESTED = HttpPreRequestPayload.model_construct(path="/", method="GET", headers=HEADERS)

# H1: the hook, what it takes, what may be put in its place.
HOOKS: list[tuple[str, Any, Any]] = [
    (ToolHookType.TOOL_PRE_INVOKE, ToolPreInvokePayload(name="t"), ToolPreInvokePayload(name="u")),
    (
        ToolHookType.TOOL_POST_INVOKE,
        ToolPostInvokePayload(name="t", result=1),
        ToolPostInvokePayload(name="t", result=2),
    ),
    (PromptHookType.PROMPT_PRE_FETCH, PromptPrehookPayload(prompt_id="p"), PromptPrehookPayload(prompt_id="q")),
    (
        PromptHookType.PROMPT_POST_FETCH,
        PromptPosthookPayload(prompt_id="p", result=1),
        PromptPosthookPayload(prompt_id="p", result=2),
    ),
    (ResourceHookType.RESOURCE_PRE_FETCH, ResourcePreFetchPayload(uri="u"), ResourcePreFetchPayload(uri="v")),
    (
        ResourceHookType.RESOURCE_POST_FETCH,
        ResourcePostFetchPayload(uri="u", content=1),
        ResourcePostFetchPayload(uri="u", content=2),
    ),
    (
        AgentHookType.AGENT_PRE_INVOKE,
        AgentPreInvokePayload(agent_id="a", messages=[]),
        AgentPreInvokePayload(agent_id="a", messages=["m"]),
    ),
    (
        AgentHookType.AGENT_POST_INVOKE,
        AgentPostInvokePayload(agent_id="a", messages=[]),
        AgentPostInvokePayload(agent_id="a", messages=["m"]),
    ),
    (HttpHookType.HTTP_PRE_REQUEST, REQUESTED, HttpHeaderPayload({"B": "2"})),
    (
        HttpHookType.HTTP_POST_REQUEST,
        HttpPostRequestPayload.model_construct(path="/", method="GET", headers=HEADERS, status_code=200),
        HttpHeaderPayload({"B": "2"}),
    ),
    (
        HttpHookType.HTTP_AUTH_RESOLVE_USER,
        HttpAuthResolveUserPayload.model_construct(headers=HEADERS),
        {"email": "a@b.c"},
    ),
    (
        HttpHookType.HTTP_AUTH_CHECK_PERMISSION,
        HttpAuthCheckPermissionPayload(user_email="a@b.c", permission="p"),
        HttpAuthCheckPermissionResultPayload(granted=True),
    ),
    (IdentityHookType.IDENTITY_RESOLVE, TOKEN, IdentityResult(subject=SubjectExtension(id="u", type=SubjectType.USER))),
    (IdentityHookType.TOKEN_DELEGATE, TARGET, DelegationResult(delegated_token="d")),
    *(
        (name, SAID, MessagePayload(message=Message(role=Role.TOOL)))
        for name in (MessageHookType.EVALUATE, *CmfHookType)
    ),
]


class Everywhere(Plugin):
    """Answers every hook: remembers what it was given, answers what it was told to."""

    given: ClassVar[list[Any]] = []
    answer: ClassVar[Any] = None

    @hook([name for name, _, _ in HOOKS])
    async def anything(self, payload: Any, context: Any) -> PluginResult[Any]:
        self.given.append(payload)
        return PluginResult(modified_payload=self.answer)


class SecondHeaders(Everywhere):
    """Adds a header to whatever it is given."""

    given: ClassVar[list[Any]] = []

    async def http_pre_request(self, payload: Any, context: Any) -> PluginResult[Any]:
        self.given.append(payload)
        payload["Second"] = "2"
        return PluginResult()


class Reader(Plugin):
    """Reads messages view by view."""

    seen: ClassVar[list[Any]] = []

    @hook("cmf.llm_input")
    async def read(self, payload: MessagePayload, context: Any, extensions: Extensions | None) -> PluginResult[Any]:
        views = list(payload.message.iter_views("cmf.llm_input", extensions))
        self.seen.extend((view.text, dict(view.headers), view.has_label("PII"), view.subject) for view in views)
        return PluginResult()


@pytest.fixture(autouse=True)
def forget() -> None:
    Everywhere.given.clear()
    SecondHeaders.given.clear()
    Reader.seen.clear()
    Everywhere.answer = None


async def manager_of(*plugins: type[Plugin], hooks: list[str] | None = None, **entry: Any) -> TenantPluginManager:
    """A manager with these plugins, started."""
    names = hooks or [str.__str__(name) for name, _, _ in HOOKS]
    entries = [
        PluginConfig(name=plugin.__name__, kind=f"{__name__}.{plugin.__name__}", hooks=names, priority=place, **entry)
        for place, plugin in enumerate(plugins)
    ]
    manager = TenantPluginManager(Config(plugins=entries))
    await manager.initialize()
    assert manager.plugin_count == len(plugins)
    return manager


def test_the_table_is_complete() -> None:
    registered = {str.__str__(name) for name in get_hook_registry().get_registered_hooks()}
    assert {str.__str__(name) for name, _, _ in HOOKS} <= registered
    assert len(HOOKS) == 23


@pytest.mark.parametrize(("name", "payload", "answer"), HOOKS, ids=[str.__str__(name) for name, _, _ in HOOKS])
async def test_plugins_get_the_payload_and_callers_the_answer(name: str, payload: Any, answer: Any) -> None:
    Everywhere.answer = answer
    manager = await manager_of(Everywhere)
    for asked in (name, str.__str__(name)):
        result, _ = await manager.invoke_hook(asked, payload, REQUEST)
        assert result.modified_payload == answer
        assert type(result.modified_payload) is type(answer)
    assert Everywhere.given == [payload, payload]
    assert isinstance(payload, get_hook_registry().get_payload_type(name) or ())


@pytest.mark.parametrize(("name", "payload", "answer"), HOOKS, ids=[str.__str__(name) for name, _, _ in HOOKS])
def test_results_can_be_read_from_json(name: str, payload: Any, answer: Any) -> None:
    result_type = get_hook_registry().get_result_type(name)
    assert result_type is not None
    text = result_type(modified_payload=answer).model_dump_json()
    assert get_hook_registry().json_to_result(name, text).modified_payload == answer


@pytest.mark.parametrize(
    ("name", "payload", "condition", "runs"),
    [
        ("token_delegate", TARGET, {"tools": ["t"]}, True),
        ("token_delegate", TARGET, {"tools": ["other"]}, False),
        ("token_delegate", TARGET, {"prompts": ["other"]}, True),
        ("identity_resolve", TOKEN, {"tools": ["s3cret"]}, False),
        ("identity_resolve", TOKEN, {"prompts": ["other"]}, True),
        ("cmf.tool_pre_invoke", SAID, {"tools": ["other"]}, True),
        ("http_pre_request", REQUESTED, {"resources": ["other"]}, True),
        ("tool_pre_invoke", ToolPreInvokePayload(name="t"), {"tools": ["other"]}, False),
        ("agent_pre_invoke", AgentPreInvokePayload(agent_id="a", messages=[]), {"agents": ["a"]}, True),
    ],
)
async def test_conditions_on_the_payload(name: str, payload: Any, condition: Any, runs: bool) -> None:
    """C5."""
    manager = await manager_of(Everywhere, conditions=[condition])
    await manager.invoke_hook(name, payload, REQUEST)
    assert bool(Everywhere.given) is runs


async def test_the_next_plugin_gets_the_result_payload() -> None:
    """P4."""
    Everywhere.answer = HttpHeaderPayload({"First": "1"})
    manager = await manager_of(Everywhere, SecondHeaders, hooks=["http_pre_request"])
    result, _ = await manager.invoke_hook("http_pre_request", REQUESTED, REQUEST)
    assert [type(payload) for payload in SecondHeaders.given] == [HttpHeaderPayload]
    # I12: headers are always isolated, and an edit in place that is not returned is nobody's business.
    assert result.modified_payload == HttpHeaderPayload({"First": "1"})
    assert HEADERS.model_dump() == {"A": "1"}


async def test_secrets_stay_secret(caplog: pytest.LogCaptureFixture) -> None:
    """H7."""
    caplog.set_level(logging.DEBUG)
    manager = await manager_of(Everywhere)
    for name, payload in (("identity_resolve", TOKEN), ("token_delegate", TARGET)):
        Everywhere.answer = payload
        result, contexts = await manager.invoke_hook(name, payload, REQUEST)
        assert "**********" in result.model_dump_json()
        assert "s3cret" not in f"{result!r} {contexts!r} {result.report!r} {result.model_dump_json()} {caplog.text}"
    assert Everywhere.given[0].raw_token.get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("capabilities", "seen"),
    [
        ([], ("hi", {}, False, None)),
        (["read_headers", "read_labels"], ("hi", {"A": "1"}, True, None)),
    ],
)
async def test_views_show_what_the_plugin_may_read(capabilities: list[str], seen: Any) -> None:
    subject = SubjectExtension(id="u", type=SubjectType.USER)
    extensions = Extensions(
        http=HttpExtension(headers={"A": "1"}),
        security=SecurityExtension(labels=frozenset({"PII"}), subject=subject),
    )
    manager = await manager_of(Reader, hooks=["cmf.llm_input"], capabilities=capabilities)
    await manager.invoke_hook("cmf.llm_input", SAID, REQUEST, extensions=extensions)
    assert Reader.seen == [seen]
