"""Adds up the outcomes of a run, per hook and per plugin. Memory does not grow with the session."""

import math
from collections import Counter
from dataclasses import dataclass, field

from ._run import Decision, Outcome

_STEP = math.log(1.02)


@dataclass(slots=True)
class Tally:
    """Counts and times of one hook or one plugin.

    Attributes:
        counts: How often each decision or outcome came up.
        duration_ns: Total of the measured times.
    """

    counts: Counter[str] = field(default_factory=Counter)
    duration_ns: int = 0
    _buckets: Counter[int] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many were counted."""
        return self.counts.total()

    @property
    def median_ns(self) -> float:
        """Median of the measured times, within 1 %; 0 if none was measured."""
        half, seen = self._buckets.total() / 2, 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= half:
                return math.exp(bucket * _STEP)
        return 0.0

    def add(self, outcome: str, duration_ns: int) -> None:
        """Counts one more; a time of 0 was not measured."""
        self.counts[outcome] += 1
        if duration_ns > 0:
            self.duration_ns += duration_ns
            self._buckets[round(math.log(duration_ns) / _STEP)] += 1


class Totals:
    """The sums of a run.

    Attributes:
        hooks: Decisions by hook.
        plugins: Outcomes by plugin.
        decisions: Decisions in all.
        unreadable: Lines that are not an invocation.
    """

    def __init__(self, plugins: list[str]) -> None:
        self.hooks: dict[str, Tally] = {}
        self.plugins: dict[str, Tally] = {name: Tally() for name in plugins}
        self.decisions: Counter[Decision] = Counter()
        self.unreadable = 0
        self.duration_ns = 0

    @property
    def all_processed(self) -> bool:
        """Every line was read and every pipeline came to a decision."""
        return self.unreadable == 0 and self.decisions[Decision.FAILED] == 0

    def add(self, outcome: Outcome) -> None:
        """Counts one invocation."""
        self.decisions[outcome.decision] += 1
        self.duration_ns += outcome.duration_ns
        self.hooks.setdefault(outcome.recorded.hook, Tally()).add(outcome.decision, outcome.duration_ns)
        for run in outcome.runs:
            self.plugins.setdefault(run.name, Tally()).add(run.outcome, run.duration_ns)
