"""What goes into a hook and what comes out: payload, result, violation, error, records."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, PrivateAttr
from pydantic_core import CoreSchema, core_schema

from cpex.framework._models.enums import ControlExecutionStatus, PluginMode
from cpex.framework.extensions.extensions import Extensions

if TYPE_CHECKING:
    from asyncio import Task

T = TypeVar("T")

_MAX_STRING_LEN = 256
_MAX_CONFIG_KEYS = 64
_ELLIPSIS = "…"
_ELLIPSIS_BYTES = len(_ELLIPSIS.encode())


def _truncate(value: str, limit: int = _MAX_STRING_LEN) -> str:
    """Bounds a string of a record.

    Args:
        value: The string.
        limit: The most UTF-8 bytes it may have.

    Returns:
        The string, or as many whole characters as fit followed by an ellipsis.
    """
    encoded = value.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return value
    return encoded[: max(limit - _ELLIPSIS_BYTES, 0)].decode("utf-8", "ignore") + _ELLIPSIS


def _truncate_opt(value: str | None, limit: int = _MAX_STRING_LEN) -> str | None:
    """Bounds an optional string of a record.

    Args:
        value: The string or None.
        limit: The most UTF-8 bytes it may have.

    Returns:
        None for None, else what ``_truncate`` returns.
    """
    return None if value is None else _truncate(value, limit)


def _collect_config_keys(config: Any) -> list[str]:
    """Names the keys of a plugin's own configuration, never their values.

    Args:
        config: The ``config`` section of a plugin, or None.

    Returns:
        The first 64 keys, each bounded.
    """
    if not isinstance(config, dict):
        return []
    return [_truncate(str(key)) for key, _ in zip(config, range(_MAX_CONFIG_KEYS), strict=False)]


class PluginPayload(BaseModel, defer_build=True):
    """Base of everything a hook takes. Frozen: a plugin changes it with ``model_copy(update=...)``."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


# An application's payloads are built where they are defined, so that a mistake shows there.
del PluginPayload.model_config["defer_build"]


class PluginErrorModel(BaseModel, defer_build=True):
    """A plugin's failure, in a form that travels."""

    message: str
    """What went wrong."""
    plugin_name: str
    """Name of the plugin."""
    code: str | None = ""
    """What went wrong, for machines."""
    details: dict[str, Any] | None = Field(default_factory=dict)
    """More about it."""
    mcp_error_code: int = -32603
    """The JSON-RPC error code to answer with."""


class PluginViolation(BaseModel, defer_build=True):
    """Why a plugin said no."""

    reason: str
    """Why, in a few words."""
    description: str = ""
    """Why, in full."""
    code: str
    """Why, for machines."""
    details: dict[str, Any] | None = Field(default_factory=dict)
    """More about it."""
    mcp_error_code: int | None = None
    """The JSON-RPC error code to answer with."""
    http_status_code: int | None = None
    """The HTTP status to answer with."""
    http_headers: dict[str, str] | None = None
    """HTTP headers to answer with."""
    _plugin_name: str = PrivateAttr(default="")

    @property
    def plugin_name(self) -> str:
        """Name of the plugin that returned the violation; set by the framework."""
        return self._plugin_name

    @plugin_name.setter
    def plugin_name(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ValueError("Name must be a non-empty string.")
        self._plugin_name = name


class ControlExecutionRecord(BaseModel, defer_build=True):
    """What one plugin did in one hook invocation. Carries names and outcomes, never payload data."""

    plugin_id: str
    """Identifier of the plugin's registration."""
    plugin_name: str
    """Name of the plugin."""
    plugin_kind: str
    """Kind of the plugin."""
    hook_name: str
    """Name of the hook."""
    mode: PluginMode
    """The plugin's mode."""
    status: ControlExecutionStatus
    """How its run ended."""
    requested_allow: bool | None = None
    """What the plugin asked for; None if it did not answer."""
    effective_allow: bool = True
    """What came of it."""
    matched: bool | None = None
    """Whether the plugin found something to act on; None if unknown."""
    applied: bool = False
    """Whether it changed the outcome."""
    payload_modified: bool = False
    """Whether its payload was taken."""
    extensions_modified: bool = False
    """Whether it wrote extensions."""
    duration_ns: int = 0
    """How long it took, in nanoseconds; 0 for parallel ones."""
    reason: str | None = None
    """Why it denied or failed."""
    error_code: str | None = None
    """The same, for machines."""
    config_keys: list[str] = Field(default_factory=list)
    """Names of its settings, never their values."""


Outcome = Literal[
    "ran",
    "denied",
    "suppressed",
    "failed",
    "timed_out",
    "cancelled",
    "skipped",
    "disabled",
    "not_loaded",
    "detached",
]


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What became of one entry of a hook's line-up, those that did not run included.

    Attributes:
        plugin: Name of the plugin.
        plugin_id: Its uuid; empty if it could not be loaded.
        hook: The hook that was invoked.
        mode: The mode it is configured with.
        outcome: What became of it.
        detail: Which condition failed, the error, or the timeout; None if there is nothing to add.
        trimmed_fields: Payload fields whose change the hook's policy dropped.
        refused_extensions: Extension slots whose change was not taken, and why; with `extension_tiers: warn` it was.
        discarded: Why a payload change was not taken over as a whole; None if none was discarded.
        duration_ns: Nanoseconds from the call to the answer; 0 if it did not run or was not awaited.
    """

    plugin: str
    plugin_id: str
    hook: str
    mode: str
    outcome: Outcome
    detail: str | None = None
    trimmed_fields: tuple[str, ...] = ()
    refused_extensions: tuple[str, ...] = ()
    discarded: str | None = None
    duration_ns: int = 0


class _AnyTask:
    """Accepts ``asyncio.Task``; asyncio is imported when the first result is validated, not before."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from asyncio import Task

        return core_schema.is_instance_schema(Task)


if TYPE_CHECKING:
    BackgroundTask = Task[Any]
else:
    BackgroundTask = Annotated[Any, _AnyTask]


class _Reported(BaseModel, defer_build=True):
    """A model with room for a report beside its fields."""

    # A private attribute of pydantic's would give every instance a post-init. The slots are on a class of their
    # own because pydantic repeats those of a generic model in each of its parametrised forms.
    __slots__ = ("_report", "__weakref__")


class PluginResult(_Reported, Generic[T]):
    """What a plugin returns from a hook, and what the manager returns for the chain."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    continue_processing: bool = True
    """False denies."""
    modified_payload: T | None = None
    """The payload to go on with; None for an unchanged one."""
    modified_extensions: Extensions | None = None
    """The extensions to go on with; None for unchanged ones."""
    violation: PluginViolation | None = None
    """Why it was denied."""
    metadata: dict[str, Any] | None = Field(default_factory=dict)
    """What plugins tell the application."""
    denial_metadata: dict[str, Any] | None = None
    """Small facts about a denial for the execution records."""
    background_tasks: list[BackgroundTask] = Field(default_factory=list, exclude=True)
    """The background plugins that were started."""
    http_headers: dict[str, str] | None = None
    """HTTP headers a plugin asks for."""
    retry_delay_ms: int = 0
    """Milliseconds to wait before a retry; 0 for none."""
    executions: list[ControlExecutionRecord] = Field(default_factory=list)
    """One record for each plugin that was started."""

    @property
    def report(self) -> tuple[ExecutionReport, ...]:
        """One entry for each plugin of the hook's line-up; empty on a result the manager did not make.

        Not a field: absent from dumps, comparison, copies and pickles.
        """
        report: tuple[ExecutionReport, ...] | Callable[[], tuple[ExecutionReport, ...]] = getattr(self, "_report", ())
        return report() if callable(report) else report

    async def wait_for_background_tasks(self) -> list[PluginErrorModel]:
        """Waits for the fire-and-forget plugins of this invocation.

        Returns:
            The errors of those that failed.
        """
        from asyncio import gather

        outcomes = await gather(*self.background_tasks, return_exceptions=True)
        return [outcome for outcome in outcomes if isinstance(outcome, PluginErrorModel)]
