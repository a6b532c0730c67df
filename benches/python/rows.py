"""The rows of the report: which scenario, what is derived from it, and the target."""

from dataclasses import dataclass
from enum import Enum
from statistics import median
from typing import Any


class Measure(Enum):
    """How the subject is set against its floor."""

    RATIO = "×"
    DIFFERENCE = "µs over"


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    scenario: str
    label: str
    floor: str
    measure: Measure
    target: float

    def judge(self, samples: dict[str, Any]) -> dict[str, Any]:
        """Returns medians in microseconds, the compared value, and whether it meets the target.

        Floor and subject are measured in turn, so the value is the median over neighbouring pairs: a change of the
        machine's speed during the run touches both sides of a pair.
        """
        floor, subject, divisor = samples["floor"], samples["subject"], samples["divisor"]
        pairs = list(zip(floor, subject, strict=True))
        if self.measure is Measure.RATIO:
            values = [after / before for before, after in pairs]
        else:
            values = [(after - before) / divisor / 1e3 for before, after in pairs]
        value = median(values)
        return {
            "floor_us": median(floor) / 1e3,
            "subject_us": median(subject) / 1e3,
            "value": value,
            "met": value <= self.target,
        }


def _chains() -> list[Row]:
    return [
        Row(f"{mode}-{count}", f"{count} {mode}", "bare await", Measure.RATIO, 1.5)
        for mode in ("sequential", "transform", "audit")
        for count in (1, 5, 10, 50)
    ]


def _guards() -> list[Row]:
    guards = {"pii": "personal data", "secrets": "secrets", "words": "words of a list"}
    return [
        Row(f"guard-{guard}-{what}", f"{name}, 1 KB, {told}", "no plugin", Measure.DIFFERENCE, target)
        for guard, name in guards.items()
        for what, told, target in (("clean", "none there", 5), ("found", "some there", 15))
    ]


ROWS = [
    *_chains(),
    Row("concurrent-5", "5 concurrent", "asyncio.gather", Measure.RATIO, 1.3),
    Row("suspending", "1 that suspends once", "bare await", Measure.RATIO, 1.3),
    Row("unhooked", "no plugin registered", "empty await", Measure.DIFFERENCE, 0.4),
    Row("skipping", "each plugin skipped by conditions", "without them", Measure.DIFFERENCE, 0.1),
    Row("policy-allow", "hook policy, 5 that allow", "no policy", Measure.RATIO, 2.0),
    Row("policy-rewrite", "hook policy, 5 that rewrite", "no policy", Measure.RATIO, 2.0),
    *_guards(),
    Row("large-long-strings", "900 KB in 100 strings", "small arguments", Measure.RATIO, 1.2),
    Row("large-many-strings", "900 KB in 42,400 strings", "small arguments", Measure.RATIO, 1.2),
]
