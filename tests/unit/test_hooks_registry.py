"""The hook registry and the hooks in it (H1, H2)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from cpex.framework.hooks import identity, message
from cpex.framework.hooks.registry import HookRegistry, get_hook_registry
from cpex.framework.hooks.tools import ToolHookType, ToolPreInvokePayload, ToolPreInvokeResult
from cpex.framework.models import PluginPayload, PluginResult

PAYLOAD_AND_RESULT = {
    "tool_pre_invoke": ("ToolPreInvokePayload", "PluginResult[ToolPreInvokePayload]"),
    "tool_post_invoke": ("ToolPostInvokePayload", "PluginResult[ToolPostInvokePayload]"),
    "prompt_pre_fetch": ("PromptPrehookPayload", "PluginResult[PromptPrehookPayload]"),
    "prompt_post_fetch": ("PromptPosthookPayload", "PluginResult[PromptPosthookPayload]"),
    "resource_pre_fetch": ("ResourcePreFetchPayload", "PluginResult[ResourcePreFetchPayload]"),
    "resource_post_fetch": ("ResourcePostFetchPayload", "PluginResult[ResourcePostFetchPayload]"),
    "agent_pre_invoke": ("AgentPreInvokePayload", "PluginResult[AgentPreInvokePayload]"),
    "agent_post_invoke": ("AgentPostInvokePayload", "PluginResult[AgentPostInvokePayload]"),
    "http_pre_request": ("HttpPreRequestPayload", "PluginResult[HttpHeaderPayload]"),
    "http_post_request": ("HttpPostRequestPayload", "PluginResult[HttpHeaderPayload]"),
    "http_auth_resolve_user": ("HttpAuthResolveUserPayload", "PluginResult[dict]"),
    "http_auth_check_permission": (
        "HttpAuthCheckPermissionPayload",
        "PluginResult[HttpAuthCheckPermissionResultPayload]",
    ),
    "identity_resolve": ("IdentityPayload", "PluginResult[IdentityResult]"),
    "token_delegate": ("DelegationPayload", "PluginResult[DelegationResult]"),
    "evaluate": ("MessagePayload", "PluginResult[MessagePayload]"),
}
MESSAGE_HOOKS = (
    "cmf.tool_pre_invoke",
    "cmf.tool_post_invoke",
    "cmf.llm_input",
    "cmf.llm_output",
    "cmf.resource_pre_fetch",
    "cmf.resource_post_fetch",
    "cmf.prompt_pre_fetch",
    "cmf.prompt_post_fetch",
)


class Mail(PluginPayload):
    """An application's own payload."""

    recipient: str


@pytest.fixture
def registry() -> Iterator[HookRegistry]:
    registry = get_hook_registry()
    registry.get_registered_hooks()
    payloads, results = dict(registry._hook_payloads), dict(registry._hook_results)
    yield registry
    for kept, known in ((payloads, registry._hook_payloads), (results, registry._hook_results)):
        known.clear()
        known.update(kept)  # type: ignore[arg-type]


def test_there_is_one_registry() -> None:
    assert HookRegistry() is get_hook_registry()


@pytest.mark.parametrize(("hook", "expected"), PAYLOAD_AND_RESULT.items())
def test_built_in_hooks(registry: HookRegistry, hook: str, expected: tuple[str, str]) -> None:
    identity._register_identity_hooks()
    message._register_message_hooks()
    payload_type, result_type = registry.get_payload_type(hook), registry.get_result_type(hook)
    assert payload_type is not None
    assert result_type is not None
    assert (payload_type.__name__, result_type.__name__) == expected


def test_message_hooks(registry: HookRegistry) -> None:
    message._register_message_hooks()
    assert all(registry.get_payload_type(hook) is message.MessagePayload for hook in MESSAGE_HOOKS)


def test_exactly_twelve_hooks_are_known_from_the_start() -> None:
    code = (
        "from cpex.framework import get_hook_registry; "
        "print(sorted(hook.value for hook in get_hook_registry().get_registered_hooks()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    built_in = [hook for hook in PAYLOAD_AND_RESULT if hook.startswith(("tool", "prompt", "resource", "agent", "http"))]
    assert run.stdout.strip() == str(sorted(built_in))


def test_a_registration_overwrites(registry: HookRegistry) -> None:
    registry.register_hook("tool_pre_invoke", Mail, PluginResult[Mail])
    assert registry.get_payload_type(ToolHookType.TOOL_PRE_INVOKE) is Mail


def test_an_early_registration_is_kept() -> None:
    code = (
        "from cpex.framework import PluginPayload, PluginResult, get_hook_registry\n"
        "get_hook_registry().register_hook('tool_pre_invoke', PluginPayload, PluginResult)\n"
        "print(get_hook_registry().get_payload_type('tool_pre_invoke').__name__)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "PluginPayload\n"


def test_an_applications_hook(registry: HookRegistry) -> None:
    registry.register_hook("email_pre_send", Mail, PluginResult[Mail])
    assert registry.is_registered("email_pre_send")
    assert registry.json_to_payload("email_pre_send", '{"recipient": "a"}') == Mail(recipient="a")
    result = registry.json_to_result("email_pre_send", {"modified_payload": {"recipient": "b"}})
    assert result == PluginResult[Mail](modified_payload=Mail(recipient="b"))


def test_unknown_hooks(registry: HookRegistry) -> None:
    assert registry.get_payload_type("zz") is None
    assert registry.get_result_type("zz") is None
    assert not registry.is_registered("zz")
    with pytest.raises(ValueError, match="^No payload type registered for hook: zz$"):
        registry.json_to_payload("zz", {})
    with pytest.raises(ValueError, match="^No result type registered for hook: zz$"):
        registry.json_to_result("zz", {})


def test_json_and_values(registry: HookRegistry) -> None:
    expected = ToolPreInvokePayload(name="t", args={"a": 1})
    assert registry.json_to_payload("tool_pre_invoke", '{"name": "t", "args": {"a": 1}}') == expected
    assert registry.json_to_payload("tool_pre_invoke", {"name": "t", "args": {"a": 1}}) == expected
    result = registry.json_to_result("tool_pre_invoke", '{"continue_processing": false}')
    assert type(result) is ToolPreInvokeResult
    assert result.continue_processing is False


def test_hooks_are_known_before_they_are_registered() -> None:
    script = (
        "from cpex.framework.hooks.registry import hook_names, known_hooks, register_all_hooks\n"
        "known = known_hooks()\n"
        "assert known > set(hook_names())\n"
        "register_all_hooks()\n"
        "assert known == set(hook_names())\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
