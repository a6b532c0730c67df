"""What the framework raises, and the record of a denial that telemetry may see.

Exception
├── PluginError            a plugin misbehaved
└── PluginViolationError   a plugin said no, and the caller asked for an exception
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cpex.framework.models import (
    ControlExecutionRecord,
    ExecutionReport,
    PluginErrorModel,
    PluginMode,
    PluginViolation,
)

DenialMetadataValue = bool | int | float

_TELEMETRY_LABEL = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_METADATA_ENTRIES = 16


def _safe_label(value: Any) -> str | None:
    """Keeps a value that may serve as a telemetry label.

    Args:
        value: Anything.

    Returns:
        The value if it is exactly a str of at most 64 plain characters, else None.
    """
    return value if type(value) is str and _TELEMETRY_LABEL.fullmatch(value) else None


def _safe_integer(value: Any, low: int, high: int) -> int | None:
    """Keeps an integer within bounds.

    Args:
        value: Anything.
        low: The least.
        high: The most.

    Returns:
        The value if it is exactly an int within the bounds, else None.
    """
    return value if type(value) is int and low <= value <= high else None


def sanitize_denial_metadata(metadata: Mapping[str, Any] | None) -> dict[str, DenialMetadataValue]:
    """Keeps of a plugin's denial metadata what may leave the process.

    Args:
        metadata: What the plugin returned.

    Returns:
        The entries with a plain short key and a bool, 64-bit int or finite float; none at all if there
        were more than 16.
    """
    if not isinstance(metadata, Mapping) or len(metadata) > _MAX_METADATA_ENTRIES:
        return {}
    return {
        key: value
        for key, value in metadata.items()
        if _safe_label(key) is not None
        and (
            type(value) is bool
            or _safe_integer(value, -(2**63), 2**63 - 1) is not None
            or (type(value) is float and math.isfinite(value))
        )
    }


@dataclass(frozen=True)
class DenialExecutionRecord:
    """The denying plugin's execution record, without free text and configuration."""

    plugin_id: str
    plugin_name: str
    plugin_kind: str
    hook_name: str
    mode: PluginMode
    status: str
    requested_allow: bool | None
    effective_allow: bool
    matched: bool | None
    applied: bool
    payload_modified: bool
    extensions_modified: bool
    duration_ns: int
    error_code: str | None

    @classmethod
    def from_execution(cls, execution: ControlExecutionRecord) -> "DenialExecutionRecord":
        """Copies what may be told of an execution.

        Args:
            execution: The full record.

        Returns:
            The record without reason and config keys.
        """
        return cls(
            plugin_id=execution.plugin_id,
            plugin_name=execution.plugin_name,
            plugin_kind=execution.plugin_kind,
            hook_name=execution.hook_name,
            mode=execution.mode,
            status=str(execution.status.value),
            requested_allow=execution.requested_allow,
            effective_allow=execution.effective_allow,
            matched=execution.matched,
            applied=execution.applied,
            payload_modified=execution.payload_modified,
            extensions_modified=execution.extensions_modified,
            duration_ns=execution.duration_ns,
            error_code=_safe_label(execution.error_code),
        )


@dataclass(frozen=True)
class DenialOutcome:
    """A denial in numbers and labels only: safe for telemetry."""

    execution: DenialExecutionRecord
    violation_code: str | None
    mcp_error_code: int | None
    http_status_code: int | None
    metadata: Mapping[str, DenialMetadataValue]

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy can be neither pickled nor deep-copied.
        codes = (self.violation_code, self.mcp_error_code, self.http_status_code)
        return _restore_denial_outcome, (self.execution, *codes, dict(self.metadata))

    @classmethod
    def from_execution(
        cls,
        execution: ControlExecutionRecord,
        violation: PluginViolation | None,
        metadata: Mapping[str, DenialMetadataValue] | None,
    ) -> "DenialOutcome":
        """Makes the outcome of a denial.

        Args:
            execution: The denying plugin's record.
            violation: The violation it returned, if any.
            metadata: Its denial metadata, already sanitised.

        Returns:
            The outcome; metadata is read-only.
        """
        return cls(
            execution=DenialExecutionRecord.from_execution(execution),
            violation_code=_safe_label(violation.code) if violation else None,
            mcp_error_code=_safe_integer(violation.mcp_error_code, -(2**31), 2**31 - 1) if violation else None,
            http_status_code=_safe_integer(violation.http_status_code, 100, 599) if violation else None,
            metadata=MappingProxyType(dict(metadata or {})),
        )


def _restore_denial_outcome(
    execution: DenialExecutionRecord,
    violation_code: str | None,
    mcp_error_code: int | None,
    http_status_code: int | None,
    metadata: dict[str, DenialMetadataValue],
) -> DenialOutcome:
    return DenialOutcome(execution, violation_code, mcp_error_code, http_status_code, MappingProxyType(metadata))


class PluginViolationError(Exception):
    """A plugin denied, and the caller asked for exceptions; or a plugin raised it itself.

    Attributes:
        message: The message.
        violation: Why; None if the plugin gave no violation.
        executions: The records up to and including the denying plugin; None outside a hook chain.
        denial_outcome: The denial for telemetry; None unless the framework made the exception.
        report: What became of every plugin of the line-up; empty outside a hook chain.
    """

    def __init__(self, message: str, violation: PluginViolation | None = None):
        """Makes the error.

        Args:
            message: The message.
            violation: Why.
        """
        self.message = message
        self.violation = violation
        self.executions: list[ControlExecutionRecord] | None = None
        self.denial_outcome: DenialOutcome | None = None
        self.report: tuple[ExecutionReport, ...] = ()
        self._denial_metadata: Mapping[str, DenialMetadataValue] | None = None
        super().__init__(message)

    def attach_denial_outcome(self, execution: ControlExecutionRecord) -> None:
        """Attaches the telemetry view of a denial the framework turned into this exception.

        Does nothing for an exception a plugin raised, or if there is an outcome already.

        Args:
            execution: The denying plugin's record.
        """
        if self.denial_outcome is None and self._denial_metadata is not None:
            self.denial_outcome = DenialOutcome.from_execution(execution, self.violation, self._denial_metadata)


class PluginError(Exception):
    """A plugin misbehaved: it raised, timed out, could not be reached or does not fit its hook.

    Attributes:
        error: What happened.
        executions: The records of the chain it ended; None outside a hook chain.
        report: What became of every plugin of the line-up; empty outside a hook chain.
    """

    def __init__(self, error: PluginErrorModel):
        """Makes the error.

        Args:
            error: What happened.
        """
        self.error = error
        self.executions: list[ControlExecutionRecord] | None = None
        self.report: tuple[ExecutionReport, ...] = ()
        super().__init__(error.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.error,), self.__dict__.copy()


def convert_exception_to_error(exception: BaseException, plugin_name: str) -> PluginErrorModel:
    """Describes an exception that a plugin raised.

    Args:
        exception: The exception.
        plugin_name: Name of the plugin.

    Returns:
        The description; its message is the exception's repr.
    """
    return PluginErrorModel(message=repr(exception), plugin_name=plugin_name)
