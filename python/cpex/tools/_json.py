"""Writes a run for machines: JSON Lines on stdout, and nothing else on stdout."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from io import UnsupportedOperation
from typing import Any, TextIO

from rich.console import Console

from ._problem import Problem
from ._run import Decision, Outcome
from ._totals import Tally, Totals


@contextmanager
def private_stdout() -> Iterator[TextIO]:
    """Keeps stdout for the result lines: what plugins print, from Python or native code, goes to stderr.

    Yields:
        The stream for the result lines.
    """
    stream = sys.stdout
    stream.flush()
    try:
        is_process_stdout = stream.fileno() == 1
    except (UnsupportedOperation, AttributeError):
        is_process_stdout = False
    if not is_process_stdout:
        with redirect_stdout(sys.stderr):
            yield stream
        return
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with open(os.dup(kept), "w", encoding="utf-8") as own, redirect_stdout(sys.stderr):
            yield own
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class JsonReport:
    """Result lines: `{"type": "invocation" | "problem" | "summary", …}`.

    Args:
        stream: Where they go.
        only: The decisions to write; problems and the summary are always written.
    """

    def __init__(self, stream: TextIO, only: frozenset[Decision]) -> None:
        self._stream = stream
        self._only = only

    def terminal(self, errors: Console) -> Console | None:
        """Returns the terminal for the progress display: `errors`, unless the result lines go to a terminal, too."""
        return errors if errors.is_terminal and not self._stream.isatty() else None

    def begin(self, session: str) -> None:
        """Writes nothing: machines know what they asked for."""

    def outcome(self, outcome: Outcome) -> None:
        """Writes one invocation."""
        if outcome.decision not in self._only:
            return
        recorded = outcome.recorded
        self._write(
            {
                "type": "invocation",
                "line": recorded.line,
                "hook": recorded.hook,
                "subject": recorded.subject,
                "request_id": recorded.context.request_id,
                "decision": outcome.decision,
                "plugins": outcome.plugins,
                "code": outcome.code or None,
                "reason": outcome.reason or None,
                "changes": [asdict(change) for change in outcome.changes],
                "notes": outcome.notes,
                "runs": [asdict(run) for run in outcome.runs],
                "duration_ns": outcome.duration_ns,
            }
        )

    def problem(self, problem: Problem) -> None:
        """Writes a line that could not be read."""
        self._write({"type": "problem", **asdict(problem)})

    def totals(self, totals: Totals, elapsed: float) -> None:
        """Writes the summary."""
        self._write(
            {
                "type": "summary",
                "invocations": totals.decisions.total(),
                "unreadable": totals.unreadable,
                "decisions": {decision: totals.decisions[decision] for decision in Decision},
                "plugins": {name: _sums(tally) for name, tally in totals.plugins.items()},
                "hooks": {name: _sums(tally) for name, tally in totals.hooks.items()},
                "duration_ns": totals.duration_ns,
                "elapsed_s": round(elapsed, 6),
            }
        )

    def _write(self, entry: dict[str, Any]) -> None:
        self._stream.write(f"{json.dumps(entry, ensure_ascii=False)}\n")
        self._stream.flush()


def _sums(tally: Tally) -> dict[str, Any]:
    times = {"duration_ns": tally.duration_ns, "median_ns": round(tally.median_ns)}
    return {"total": tally.total, **tally.counts, **times}
