"""Feeds recorded invocations through the pipelines of a manager and says what was decided."""

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cpex.framework import (
    ControlExecutionStatus,
    PluginError,
    PluginManager,
    PluginResult,
    PluginViolation,
    PluginViolationError,
)

from ._diff import Change, diff, returned_part, snapshot
from ._session import Recorded

_REQUESTS_REMEMBERED = 1024
_FAILURES = frozenset({"failed", "timed_out"})
_REPORT_ONLY = _FAILURES | {"suppressed", "cancelled"}


class Decision(StrEnum):
    """What became of an invocation."""

    ALLOWED = "allowed"
    MODIFIED = "modified"
    BLOCKED = "blocked"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PluginRun:
    """One plugin's part in an invocation.

    Attributes:
        name: The plugin.
        outcome: `ran`, `modified`, `blocked`, `suppressed` (a block that its mode does not allow), `failed`,
            `timed_out` or `cancelled`.
        duration_ns: Time in it; 0 where the engine does not measure it (parallel plugins).
    """

    name: str
    outcome: str
    duration_ns: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the pipeline made of one invocation.

    Attributes:
        recorded: The invocation.
        decision: What was decided.
        plugins: The plugins that decided: the one that blocked or failed, those that modified.
        code: Code of the violation; empty otherwise.
        reason: Why it was blocked or what failed; empty otherwise.
        changes: What changed in the payload, for a modified one.
        notes: What did not change the decision: ignored failures, suppressed blocks, dropped changes.
        runs: Every plugin that took part.
        duration_ns: Wall time of the whole pipeline.
    """

    recorded: Recorded
    decision: Decision
    plugins: tuple[str, ...]
    code: str
    reason: str
    changes: list[Change]
    notes: list[str]
    runs: list[PluginRun]
    duration_ns: int


class Replay:
    """Replays invocations in order. Lines of one request share their plugin contexts, as in a live gateway."""

    def __init__(self, manager: PluginManager) -> None:
        self._manager = manager
        self._contexts: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def invoke(self, recorded: Recorded) -> Outcome:
        """Runs one invocation to the end, its background plugins included.

        Args:
            recorded: The invocation.

        Returns:
            What was decided; a failure of a plugin is an outcome too, never an exception.
        """
        before = snapshot(recorded.payload)
        known = self._contexts.get(recorded.context.request_id) if recorded.shares_contexts else None
        started = time.perf_counter_ns()
        try:
            result, contexts = await self._manager.invoke_hook(
                recorded.hook, recorded.payload, recorded.context, local_contexts=known
            )
        except PluginViolationError as error:
            elapsed = time.perf_counter_ns() - started
            runs = _runs(error.executions or ())
            return _blocked(recorded, error.violation, runs, [], elapsed)
        except Exception as error:  # whatever a plugin raises is an outcome of this line; the rest goes on
            elapsed = time.perf_counter_ns() - started
            return _failed(recorded, error, elapsed)
        elapsed = time.perf_counter_ns() - started
        if recorded.shares_contexts and contexts:
            self._remember(recorded.context.request_id, contexts)
        report = getattr(result, "report", ())
        runs, notes = _runs(result.executions, report), [note for item in report for note in _notes(item)]
        notes += [f"{error.plugin_name} failed in the background: {error.message}" for error in await _finish(result)]
        if not result.continue_processing:
            return _blocked(recorded, result.violation, runs, notes, elapsed)
        after = recorded.payload if result.modified_payload is None else result.modified_payload
        part = returned_part(type(recorded.payload), after)
        changes = diff(before if part is None else before.get(part) or {}, snapshot(after), part or "")
        decision = Decision.MODIFIED if changes else Decision.ALLOWED
        deciding = tuple(run.name for run in runs if run.outcome == "modified") if changes else ()
        return Outcome(recorded, decision, deciding, "", "", changes, notes, runs, elapsed)

    def _remember(self, request_id: str, contexts: dict[str, Any]) -> None:
        merged = self._contexts.setdefault(request_id, {})
        merged.update(contexts)
        self._contexts.move_to_end(request_id)
        if len(self._contexts) > _REQUESTS_REMEMBERED:
            self._contexts.popitem(last=False)


async def _finish(result: PluginResult[Any]) -> list[Any]:
    return list(await result.wait_for_background_tasks()) if result.background_tasks else []


def _blocked(
    recorded: Recorded,
    violation: PluginViolation | None,
    runs: list[PluginRun],
    notes: list[str],
    elapsed: int,
) -> Outcome:
    blockers = tuple(run.name for run in runs if run.outcome == "blocked")
    if violation is None:
        return Outcome(recorded, Decision.BLOCKED, blockers, "", "denied without a reason", [], notes, runs, elapsed)
    name = getattr(violation, "plugin_name", "")
    deciding = (name,) if name else blockers
    reason = violation.reason
    if violation.description and violation.description != reason:
        reason = f"{reason}: {violation.description}"
    return Outcome(recorded, Decision.BLOCKED, deciding, violation.code, reason, [], notes, runs, elapsed)


def _failed(recorded: Recorded, error: Exception, elapsed: int) -> Outcome:
    if isinstance(error, PluginError):
        plugin, reason, code = error.error.plugin_name, error.error.message, error.error.code or ""
    else:
        plugin, reason, code = "", f"{type(error).__name__}: {error}", ""
    runs = [PluginRun(plugin, "failed", 0)] if plugin else []
    return Outcome(recorded, Decision.FAILED, (plugin,) if plugin else (), code, reason, [], [], runs, elapsed)


def _runs(executions: Iterable[Any], report: Iterable[Any] = ()) -> list[PluginRun]:
    """Joins the execution records with the engine's report, which also knows suppressed blocks and ignored errors."""
    runs = {item.plugin_name: PluginRun(item.plugin_name, _outcome(item), item.duration_ns) for item in executions}
    for item in report:
        if item.outcome in _REPORT_ONLY:
            runs[item.plugin] = PluginRun(item.plugin, str(item.outcome), item.duration_ns)
    return list(runs.values())


def _notes(item: Any) -> Iterator[str]:
    if item.outcome in _FAILURES:
        yield f"{item.plugin} {item.outcome.replace('_', ' ')}, ignored: {item.detail or 'no reason given'}"
    if item.outcome == "suppressed":
        yield f"{item.plugin} would block, but its mode is {item.mode}"
    if item.trimmed_fields:
        yield f"{item.plugin} may not change {', '.join(item.trimmed_fields)}: dropped by the hook's policy"
    if item.discarded and item.outcome == "ran":
        yield f"{item.plugin}'s change was discarded: {item.discarded}"


def _outcome(execution: Any) -> str:
    if not execution.effective_allow:
        return "blocked"
    if execution.status != ControlExecutionStatus.COMPLETED:
        return "timed_out" if execution.status == ControlExecutionStatus.TIMEOUT else "failed"
    return "modified" if execution.payload_modified else "ran"
