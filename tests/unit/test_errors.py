"""Errors and the telemetry view of a denial (R6-R9, P15)."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import pytest

from cpex.framework.errors import (
    DenialExecutionRecord,
    DenialOutcome,
    PluginError,
    PluginViolationError,
    convert_exception_to_error,
    sanitize_denial_metadata,
)
from cpex.framework.models import (
    ControlExecutionRecord,
    ControlExecutionStatus,
    PluginErrorModel,
    PluginMode,
    PluginViolation,
)


def record(**fields: Any) -> ControlExecutionRecord:
    return ControlExecutionRecord(
        **{
            "plugin_id": "i",
            "plugin_name": "n",
            "plugin_kind": "k",
            "hook_name": "h",
            "mode": PluginMode.SEQUENTIAL,
            "status": ControlExecutionStatus.COMPLETED,
            "reason": "free text",
            "error_code": "x.y",
            "config_keys": ["c"],
            **fields,
        }
    )


def violation(**fields: Any) -> PluginViolation:
    return PluginViolation.model_construct(**{"reason": "r", "description": "d", "code": "c", **fields})


def test_plugin_error() -> None:
    error = PluginError(PluginErrorModel(message="m", plugin_name="p"))
    assert (str(error), error.args, error.executions, error.report) == ("m", ("m",), None, ())
    twin = pickle.loads(pickle.dumps(error))
    assert twin.error == error.error


def test_exceptions_are_described_by_their_repr() -> None:
    assert convert_exception_to_error(ValueError("x"), "p").model_dump() == {
        "message": "ValueError('x')",
        "plugin_name": "p",
        "code": "",
        "details": {},
        "mcp_error_code": -32603,
    }


def test_violation_error() -> None:
    given = violation()
    error = PluginViolationError("m", given)
    assert (str(error), error.message, error.violation) == ("m", "m", given)
    assert (error.executions, error.denial_outcome, PluginViolationError("m").violation) == (None, None, None)


def test_only_denials_of_the_framework_get_an_outcome() -> None:
    raised_by_plugin = PluginViolationError("m", violation())
    raised_by_plugin.attach_denial_outcome(record())
    assert raised_by_plugin.denial_outcome is None


def test_the_first_outcome_is_kept_and_empty_metadata_is_one() -> None:
    error = PluginViolationError("m", violation())
    error._denial_metadata = {}
    error.attach_denial_outcome(record())
    error._denial_metadata = {"late": 1}
    error.attach_denial_outcome(record(plugin_name="second"))
    assert error.denial_outcome is not None
    assert error.denial_outcome.execution.plugin_name == "n"
    assert dict(error.denial_outcome.metadata) == {}


def test_the_denial_record_has_no_free_text() -> None:
    denial = DenialExecutionRecord.from_execution(record())
    assert dataclasses.asdict(denial) == {
        "plugin_id": "i",
        "plugin_name": "n",
        "plugin_kind": "k",
        "hook_name": "h",
        "mode": PluginMode.SEQUENTIAL,
        "status": "completed",
        "requested_allow": None,
        "effective_allow": True,
        "matched": None,
        "applied": False,
        "payload_modified": False,
        "extensions_modified": False,
        "duration_ns": 0,
        "error_code": "x.y",
    }
    assert type(denial.status) is str
    with pytest.raises(dataclasses.FrozenInstanceError):
        denial.status = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("label", "kept"),
    [("a" * 64, "a" * 64), ("a" * 65, None), ("", None), ("a b", None), ("a\n", None), ("A-1_.z", "A-1_.z")],
)
def test_labels(label: str, kept: str | None) -> None:
    assert DenialExecutionRecord.from_execution(record(error_code=label)).error_code == kept
    assert DenialOutcome.from_execution(record(), violation(code=label), {}).violation_code == kept


@pytest.mark.parametrize(
    ("status", "kept"), [(100, 100), (599, 599), (99, None), (600, None), (True, None), ("403", None)]
)
def test_http_status_codes(status: Any, kept: int | None) -> None:
    outcome = DenialOutcome.from_execution(record(), violation(http_status_code=status), {})
    assert outcome.http_status_code == kept


@pytest.mark.parametrize(
    ("code", "kept"), [(-(2**31), -(2**31)), (2**31 - 1, 2**31 - 1), (2**31, None), (True, None), ("1", None)]
)
def test_mcp_error_codes(code: Any, kept: int | None) -> None:
    assert DenialOutcome.from_execution(record(), violation(mcp_error_code=code), {}).mcp_error_code == kept


def test_outcome_without_a_violation_is_read_only_and_can_be_copied() -> None:
    outcome = DenialOutcome.from_execution(record(), None, {"a": 1})
    assert (outcome.violation_code, outcome.mcp_error_code, outcome.http_status_code) == (None, None, None)
    with pytest.raises(TypeError):
        outcome.metadata["b"] = 2  # type: ignore[index]
    assert copy.deepcopy(outcome) == outcome
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_metadata_is_all_or_nothing_in_number() -> None:
    assert len(sanitize_denial_metadata({str(number): number for number in range(16)})) == 16
    assert sanitize_denial_metadata({str(number): number for number in range(17)}) == {}
    assert sanitize_denial_metadata(None) == {}
    assert sanitize_denial_metadata([1]) == {}  # type: ignore[arg-type]


def test_metadata_is_dropped_one_by_one() -> None:
    given: dict[Any, Any] = {
        "int": 2**63 - 1,
        "least": -(2**63),
        "too_big": 2**63,
        "bool": True,
        "float": 1.5,
        "nan": float("nan"),
        "infinite": float("inf"),
        "text": "x",
        "none": None,
        "list": [1],
        "bad key": 1,
        PluginMode.AUDIT: 1,
        7: 1,
    }
    assert sanitize_denial_metadata(given) == {"int": 2**63 - 1, "least": -(2**63), "bool": True, "float": 1.5}
