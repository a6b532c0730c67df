"""Results, violations, records (R2, P10, P21, B1, B18) and the report beside them."""

from __future__ import annotations

import asyncio
import copy
import pickle
import weakref
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from cpex.framework.extensions import Extensions
from cpex.framework.hooks.tools import ToolPreInvokeResult
from cpex.framework.models import (
    ControlExecutionRecord,
    ControlExecutionStatus,
    ExecutionReport,
    PluginErrorModel,
    PluginMode,
    PluginPayload,
    PluginResult,
    PluginViolation,
    _collect_config_keys,
    _truncate,
    _truncate_opt,
)

EMPTY_RESULT: dict[str, Any] = {
    "continue_processing": True,
    "modified_payload": None,
    "modified_extensions": None,
    "violation": None,
    "metadata": {},
    "denial_metadata": None,
    "http_headers": None,
    "retry_delay_ms": 0,
    "executions": [],
}


class Mail(PluginPayload):
    """An application's own payload."""

    recipient: str


class MailResult(PluginResult[Mail]):
    """An application's own result."""

    priority: int = 0


def test_empty_result_dumps_without_background_tasks() -> None:
    assert PluginResult().model_dump() == EMPTY_RESULT
    assert list(PluginResult().model_dump()) == list(EMPTY_RESULT)


def test_a_bare_result_takes_any_payload() -> None:
    assert PluginResult(modified_payload={"name": "a"}).modified_payload == {"name": "a"}


def test_a_typed_result_reads_its_payload() -> None:
    result = PluginResult[Mail].model_validate({"modified_payload": {"recipient": "a@b"}})
    assert result.modified_payload == Mail(recipient="a@b")
    assert PluginResult[Mail].__name__ == "PluginResult[Mail]"
    with pytest.raises(ValidationError, match="modified_payload.recipient"):
        PluginResult[Mail].model_validate({"modified_payload": {}})


def test_extensions_are_read() -> None:
    result = PluginResult[Any].model_validate({"modified_extensions": {"custom": {"a": 1}}})
    assert result.modified_extensions == Extensions(custom={"a": 1})


def test_background_tasks_are_tasks() -> None:
    with pytest.raises(ValidationError, match="Input should be an instance of Task"):
        PluginResult.model_validate({"background_tasks": [1]})


def test_construction_runs_no_code_of_ours() -> None:
    decorators = PluginResult.__pydantic_decorators__
    assert PluginResult.__pydantic_post_init__ is None
    assert PluginResult.__private_attributes__ == {}
    assert not (decorators.validators or decorators.field_validators or decorators.model_validators)


@pytest.mark.parametrize("result_type", [PluginResult, PluginResult[Mail], ToolPreInvokeResult, MailResult])
def test_the_report_is_beside_the_fields(result_type: type[PluginResult[Any]]) -> None:
    entry = ExecutionReport(plugin="p", plugin_id="i", hook="h", mode="audit", outcome="ran")
    result = result_type()
    assert not result.report
    object.__setattr__(result, "_report", (entry,))
    assert result.report == (entry,)
    assert result == result_type()
    assert result.model_dump() == result_type().model_dump()
    assert "report" not in repr(result)
    for twin in (copy.copy(result), copy.deepcopy(result), result.model_copy(), pickle.loads(pickle.dumps(result))):
        assert twin == result
        assert twin.report == ()


def test_results_can_be_referenced_weakly() -> None:
    result = PluginResult[Any]()
    assert weakref.ref(result)() is result


def test_report_entries_are_values() -> None:
    entry = ExecutionReport(plugin="p", plugin_id="i", hook="h", mode="audit", outcome="skipped")
    assert (entry.detail, entry.trimmed_fields, entry.discarded, entry.duration_ns) == (None, (), None, 0)
    with pytest.raises(AttributeError):
        entry.plugin = "q"  # type: ignore[misc]


async def test_waiting_for_background_tasks_collects_what_failed() -> None:
    failure = PluginErrorModel(message="m", plugin_name="p")

    async def ends_with(value: Any) -> Any:
        return value

    tasks = [asyncio.create_task(ends_with(value)) for value in (None, failure)]
    assert await PluginResult(background_tasks=tasks).wait_for_background_tasks() == [failure]
    assert await PluginResult().wait_for_background_tasks() == []


def test_violation_needs_no_description() -> None:
    assert PluginViolation(reason="r", code="c").model_dump() == {
        "reason": "r",
        "description": "",
        "code": "c",
        "details": {},
        "mcp_error_code": None,
        "http_status_code": None,
        "http_headers": None,
    }


def test_violation_names_its_plugin() -> None:
    violation = PluginViolation(reason="r", description="d", code="c")
    assert violation.plugin_name == ""
    violation.plugin_name = "p"
    assert (violation.plugin_name, violation._plugin_name, violation.model_copy().plugin_name) == ("p", "p", "p")
    assert "plugin_name" not in violation.model_dump()
    for blank in ("", "  "):
        with pytest.raises(ValueError, match=r"Name must be a non-empty string\."):
            violation.plugin_name = blank


def test_error_model_defaults() -> None:
    assert PluginErrorModel(message="m", plugin_name="p").model_dump() == {
        "message": "m",
        "plugin_name": "p",
        "code": "",
        "details": {},
        "mcp_error_code": -32603,
    }


def test_execution_record_defaults() -> None:
    record = ControlExecutionRecord.model_validate(
        {
            "plugin_id": "i",
            "plugin_name": "n",
            "plugin_kind": "k",
            "hook_name": "h",
            "mode": "audit",
            "status": "completed",
        }
    )
    assert record.mode is PluginMode.AUDIT
    assert record.status is ControlExecutionStatus.COMPLETED
    assert record.model_dump(mode="json") == {
        "plugin_id": "i",
        "plugin_name": "n",
        "plugin_kind": "k",
        "hook_name": "h",
        "mode": "audit",
        "status": "completed",
        "requested_allow": None,
        "effective_allow": True,
        "matched": None,
        "applied": False,
        "payload_modified": False,
        "extensions_modified": False,
        "duration_ns": 0,
        "reason": None,
        "error_code": None,
        "config_keys": [],
    }


@pytest.mark.parametrize(
    ("text", "bounded"),
    [("", ""), ("a" * 256, "a" * 256), ("a" * 257, "a" * 253 + "…"), ("é" * 200, "é" * 126 + "…")],
)
def test_strings_of_records_are_bounded_in_bytes(text: str, bounded: str) -> None:
    assert _truncate(text) == bounded
    assert _truncate_opt(text) == bounded
    assert _truncate_opt(None) is None


def test_config_keys_are_names_only_and_bounded() -> None:
    assert _collect_config_keys(None) == []
    assert _collect_config_keys({"b": {"secret": 1}, "a": 2}) == ["b", "a"]
    assert _collect_config_keys({str(number): 0 for number in range(100)}) == [str(number) for number in range(64)]
    assert _collect_config_keys({"k" * 300: 0}) == ["k" * 253 + "…"]


def test_payloads_of_an_application_are_plain_frozen_models() -> None:
    assert Mail.model_config == {"frozen": True, "arbitrary_types_allowed": True}
    assert issubclass(Mail, BaseModel)
    with pytest.raises(ValidationError, match="Instance is frozen"):
        Mail(recipient="a").recipient = "b"  # type: ignore[misc]
