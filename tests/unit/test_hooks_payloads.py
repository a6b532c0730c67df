"""Payloads of the built-in hooks (H1, H4-H7)."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from pydantic import RootModel, ValidationError

from cpex.framework.hooks.agents import AgentPostInvokePayload, AgentPreInvokePayload
from cpex.framework.hooks.http import (
    HttpAuthResolveUserPayload,
    HttpHeaderPayload,
    HttpPostRequestPayload,
    HttpPreRequestPayload,
)
from cpex.framework.hooks.identity import DelegationPayload, IdentityPayload
from cpex.framework.hooks.prompts import PromptPosthookPayload, PromptPrehookPayload
from cpex.framework.hooks.resources import ResourcePostFetchPayload
from cpex.framework.hooks.tools import ToolHookType, ToolPostInvokePayload, ToolPreInvokePayload
from cpex.framework.utils import StructuredData

HEADERS = {"x": "y"}


@pytest.mark.parametrize(
    ("payload_type", "fields", "named"),
    [
        (ToolPreInvokePayload, {"name": "t"}, "ToolPreInvokePayload"),
        (AgentPreInvokePayload, {"agent_id": "a", "messages": []}, "AgentPreInvokePayload"),
        (HttpPreRequestPayload, {"path": "/", "method": "GET"}, "HttpPreRequestPayload"),
        (HttpPostRequestPayload, {"path": "/", "method": "GET"}, "HttpPreRequestPayload"),
        (HttpAuthResolveUserPayload, {}, "HttpAuthResolveUserPayload"),
    ],
)
def test_headers_are_deprecated(payload_type: Any, fields: dict[str, Any], named: str) -> None:
    expected = (
        f"^{named}.headers is deprecated; use extensions.http.headers instead. "
        "This field will be removed in a future release.$"
    )
    with pytest.warns(DeprecationWarning, match=expected):
        payload = payload_type.model_validate({**fields, "headers": HEADERS})
    assert payload.headers == HttpHeaderPayload(HEADERS)


def test_absent_headers_are_not_warned_about() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ToolPreInvokePayload(name="t", headers=None).model_dump() == {"name": "t", "args": {}, "headers": None}


def test_header_payload_behaves_like_a_dict() -> None:
    headers = HttpHeaderPayload({"A": "1"})
    headers["b"] = "2"
    assert isinstance(headers, RootModel)
    assert (list(headers), len(headers), headers["A"], "b" in headers) == (["A", "b"], 2, "1", True)
    assert headers.model_dump() == {"A": "1", "b": "2"}
    with pytest.raises(KeyError):
        _ = headers["zz"]
    with pytest.raises((AttributeError, TypeError)):
        del headers["A"]  # type: ignore[attr-defined]
    with pytest.raises(ValidationError):
        HttpHeaderPayload.model_validate({"a": 1})


def test_prompt_result_dicts_become_objects() -> None:
    payload = PromptPosthookPayload(prompt_id="p", result={"messages": [{"content": {"text": "hi"}}]})
    assert payload.result.messages[0].content.text == "hi"
    assert payload.model_dump()["result"] == {"messages": [{"content": {"text": "hi"}}]}


def test_other_results_stay_as_they_are() -> None:
    assert PromptPosthookPayload(prompt_id="p", result=[{"a": 1}]).result == [{"a": 1}]
    assert ToolPostInvokePayload(name="t", result={"a": 1}).result == {"a": 1}
    assert ResourcePostFetchPayload(uri="u", content={"a": 1}).content == {"a": 1}
    ready = StructuredData.model_validate({"a": {"b": 1}})
    assert PromptPosthookPayload(prompt_id="p", result=ready).result is ready


def test_agent_message_dicts_become_objects() -> None:
    before = AgentPreInvokePayload(agent_id="a", messages=[{"role": "user", "content": {"text": "hi"}}, "raw"])
    assert before.messages[0].content.text == "hi"
    assert before.messages[1] == "raw"
    after = AgentPostInvokePayload(agent_id="a", messages=[{"a": 1}], tool_calls=[{"b": {"c": 1}}])
    assert after.messages[0].a == 1
    assert after.tool_calls == [{"b": {"c": 1}}]


def test_payloads_are_frozen_and_ignore_unknown_fields() -> None:
    payload = ToolPreInvokePayload.model_validate({"name": "t", "unknown": 1})
    assert payload.model_dump() == {"name": "t", "args": {}, "headers": None}
    with pytest.raises(ValidationError, match="Instance is frozen"):
        payload.name = "u"  # type: ignore[misc]
    assert payload.model_copy(update={"name": "u"}).name == "u"


def test_prompt_arguments_are_strings() -> None:
    with pytest.raises(ValidationError, match=r"args\.a"):
        PromptPrehookPayload.model_validate({"prompt_id": "p", "args": {"a": 1}})


def test_subclasses_of_payloads() -> None:
    class Traced(ToolPreInvokePayload):
        trace: str = ""

    assert Traced(name="t", trace="x").model_dump() == {"name": "t", "args": {}, "headers": None, "trace": "x"}


def test_tokens_are_not_shown() -> None:
    assert IdentityPayload.model_validate({"raw_token": "s"}).model_dump_json() == (
        '{"raw_token":"**********","source":"bearer","headers":{},"client_host":null,"client_port":null}'
    )
    delegation = DelegationPayload.model_validate({"target_name": "t", "bearer_token": "s"})
    assert '"bearer_token":"**********"' in delegation.model_dump_json()


def test_hook_types_are_their_values() -> None:
    hook_type = ToolHookType.TOOL_PRE_INVOKE
    assert hook_type == "tool_pre_invoke"
    assert hash(hook_type) == hash("tool_pre_invoke")
    assert str(hook_type) == "ToolHookType.TOOL_PRE_INVOKE"
