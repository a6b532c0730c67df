"""Adds up the outcomes of a run, per hook and per plugin. Memory does not grow with the session."""

from collections import Counter
from dataclasses import dataclass, field

from ._run import Decision, Outcome


@dataclass(slots=True)
class Tally:
    """Counts and time of one hook or one plugin.

    Attributes:
        counts: How often each decision or outcome came up.
        duration_ns: Total time.
    """

    counts: Counter[str] = field(default_factory=Counter)
    duration_ns: int = 0

    @property
    def total(self) -> int:
        """How many were counted."""
        return self.counts.total()

    @property
    def mean_ns(self) -> float:
        """Mean time of one."""
        return self.duration_ns / self.total if self.total else 0.0

    def add(self, outcome: str, duration_ns: int) -> None:
        """Counts one more."""
        self.counts[outcome] += 1
        self.duration_ns += duration_ns


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
