"""What the Rust host takes for the JSON of payloads and extensions is what the models write.

Run this file as a program to write the recorded JSON anew.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from cpex.framework.extensions.agent import AgentExtension, ConversationContext
from cpex.framework.extensions.completion import CompletionExtension, StopReason, TokenUsage
from cpex.framework.extensions.delegation import DelegationExtension, DelegationHop
from cpex.framework.extensions.extensions import Extensions
from cpex.framework.extensions.framework import FrameworkExtension
from cpex.framework.extensions.http import HttpExtension
from cpex.framework.extensions.llm import LLMExtension
from cpex.framework.extensions.mcp import MCPExtension, PromptMetadata, ResourceMetadata, ToolMetadata
from cpex.framework.extensions.meta import MetaExtension
from cpex.framework.extensions.provenance import ProvenanceExtension
from cpex.framework.extensions.request import RequestExtension
from cpex.framework.extensions.security import (
    DataPolicy,
    ObjectSecurityProfile,
    RetentionPolicy,
    SecurityExtension,
    SubjectExtension,
    SubjectType,
)
from cpex.framework.hooks import agents, http, identity, message, prompts, resources, tools

RECORDED = Path(__file__).parents[2] / "crates/cpex/tests/data/payloads.json"

_HOP = DelegationHop(subject_id="alice", subject_type="user", timestamp=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC))
_CHAIN = DelegationExtension().with_new_hop(_HOP)
_SUBJECT = SubjectExtension(
    id="alice",
    type=SubjectType.USER,
    roles=frozenset({"admin"}),
    permissions=frozenset({"read"}),
    teams=frozenset({"core"}),
    claims={"iss": "idp"},
)

_PARTS: list[dict[str, Any]] = [
    {"content_type": "text", "text": "Hello"},
    {"content_type": "thinking", "text": "Hm"},
    {"content_type": "tool_call", "content": {"tool_call_id": "1", "name": "search", "arguments": {"q": 1}}},
    {"content_type": "tool_result", "content": {"tool_call_id": "1", "tool_name": "search", "content": [1]}},
    {
        "content_type": "resource",
        "content": {"resource_request_id": "2", "uri": "file:///a", "resource_type": "blob", "blob": b"\xff\x00"},
    },
    {
        "content_type": "resource_ref",
        "content": {"resource_request_id": "3", "uri": "file:///a", "resource_type": "file", "range_start": 1},
    },
    {"content_type": "prompt_request", "content": {"prompt_request_id": "4", "name": "greeting"}},
    {
        "content_type": "prompt_result",
        "content": {"prompt_request_id": "4", "prompt_name": "greeting", "messages": [{"role": "user"}]},
    },
    {"content_type": "image", "content": {"type": "url", "data": "https://example.com/a.png"}},
    {"content_type": "video", "content": {"type": "base64", "data": "AA==", "duration_ms": 5}},
    {"content_type": "audio", "content": {"type": "base64", "data": "AA==", "media_type": "audio/ogg"}},
    {"content_type": "document", "content": {"type": "base64", "data": "AA==", "title": "Terms"}},
]

PAYLOADS: dict[str, list[BaseModel]] = {
    "tool_pre_invoke": [
        tools.ToolPreInvokePayload(name="search"),
        tools.ToolPreInvokePayload(name="search", args={"q": [1, 2.5, None]}),
        tools.ToolPreInvokePayload(name="search", args=None),
    ],
    "tool_post_invoke": [tools.ToolPostInvokePayload(name="search", result={"hits": 3})],
    "prompt_pre_fetch": [prompts.PromptPrehookPayload(prompt_id="greeting", args={"name": "Ann"})],
    "prompt_post_fetch": [prompts.PromptPosthookPayload(prompt_id="greeting", result={"messages": []})],
    "resource_pre_fetch": [resources.ResourcePreFetchPayload(uri="file:///a")],
    "resource_post_fetch": [resources.ResourcePostFetchPayload(uri="file:///a", content="text")],
    "agent_pre_invoke": [agents.AgentPreInvokePayload(agent_id="a", messages=[{"role": "user"}], tools=["t"])],
    "agent_post_invoke": [agents.AgentPostInvokePayload(agent_id="a", messages=[], tool_calls=[{"name": "t"}])],
    "http_pre_request": [
        http.HttpPreRequestPayload(path="/", method="GET", headers=http.HttpHeaderPayload({"a": "b"}), client_port=1)
    ],
    "http_post_request": [
        http.HttpPostRequestPayload(path="/", method="GET", headers=http.HttpHeaderPayload({}), status_code=200)
    ],
    "http_auth_resolve_user": [
        http.HttpAuthResolveUserPayload(credentials={"scheme": "Bearer"}, headers=http.HttpHeaderPayload({}))
    ],
    "http_auth_check_permission": [http.HttpAuthCheckPermissionPayload(user_email="a@example.com", permission="read")],
    "identity_resolve": [identity.IdentityPayload(raw_token="s3cr3t")],
    "token_delegate": [
        identity.DelegationPayload(target_name="search", route_attenuation=identity.AttenuationConfig(ttl_seconds=60))
    ],
    "evaluate": [message.MessagePayload(message={"role": "assistant", "content": _PARTS, "channel": "final"})],
}

REPLIES: dict[str, list[BaseModel]] = {
    "http_pre_request": [http.HttpHeaderPayload({"a": "b"})],
    "http_auth_check_permission": [http.HttpAuthCheckPermissionResultPayload(granted=True)],
    "identity_resolve": [identity.IdentityResult(subject=_SUBJECT, delegation=_CHAIN)],
    "token_delegate": [identity.DelegationResult(delegation_update=_CHAIN)],
}

EXTENSIONS = [
    Extensions(),
    Extensions(
        request=RequestExtension(environment="test"),
        agent=AgentExtension(turn=1, conversation=ConversationContext(topics=["t"])),
        http=HttpExtension(headers={"a": "b"}),
        security=SecurityExtension(
            labels=frozenset({"pii"}),
            subject=_SUBJECT,
            objects={"o": ObjectSecurityProfile()},
            data={"d": DataPolicy(retention=RetentionPolicy(max_age_seconds=5))},
        ),
        delegation=_CHAIN,
        mcp=MCPExtension(
            tool=ToolMetadata(name="t"), resource=ResourceMetadata(uri="u"), prompt=PromptMetadata(name="p")
        ),
        completion=CompletionExtension(
            stop_reason=StopReason.MAX_TOKENS, tokens=TokenUsage(input_tokens=1, output_tokens=2, total_tokens=3)
        ),
        provenance=ProvenanceExtension(source="mail"),
        llm=LLMExtension(capabilities=["vision"]),
        framework=FrameworkExtension(metadata={"k": 1}),
        meta=MetaExtension(tags=frozenset({"batch"})),
        custom={"k": [1]},
    ),
]


def written() -> dict[str, Any]:
    """Give the JSON of all models above.

    Returns:
        JSON-compatible values.
    """

    def dumps(models: dict[str, list[BaseModel]]) -> dict[str, Any]:
        return {hook: [model.model_dump(mode="json") for model in of] for hook, of in models.items()}

    extensions = [model.model_dump(mode="json") for model in EXTENSIONS]
    return {"payloads": dumps(PAYLOADS), "replies": dumps(REPLIES), "extensions": extensions}


def test_the_recorded_json_is_what_the_models_write() -> None:
    """H1, X1: the file that the tests of the Rust host read back."""
    assert json.loads(RECORDED.read_text(encoding="utf-8")) == written()


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(written(), indent=1) + "\n", encoding="utf-8")
    sys.exit(0)
