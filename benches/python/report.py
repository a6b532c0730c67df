"""The report: one line a figure, as an aligned table, as Markdown and as JSON."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from rows import Measure, Row

HEADINGS = ("figure", "floor", "ours", "compared", "target", "met", "published", "compared")


@dataclass(frozen=True)
class Line:
    """One figure. Texts are ready to print; `ours` and `published` keep the numbers."""

    label: str
    floor: str
    unit: str
    target: str
    met: bool | None
    ours: dict[str, Any]
    published: dict[str, Any] | None

    @classmethod
    def of_row(cls, row: Row, ours: dict[str, Any], published: dict[str, Any] | None) -> Self:
        unit = "×" if row.measure is Measure.RATIO else "µs"
        met = ours.get("met", False)
        return cls(row.label, row.floor, unit, f"≤ {row.target:g} {unit}", met, ours, published)

    @classmethod
    def of_import(
        cls, module: str, yardstick: str, ours: dict[str, float], published: dict[str, float] | None, target: float
    ) -> Self:
        def verdict(best: dict[str, float]) -> dict[str, Any]:
            return {
                "floor_us": best[yardstick] * 1e3,
                "subject_us": best[module] * 1e3,
                "value": best[module] / best[yardstick],
            }

        mine, theirs = verdict(ours), verdict(published) if published else None
        met = mine["value"] <= target
        return cls(f"import {module}", f"import {yardstick}", "×", f"≤ {target:g} ×", met, mine, theirs)

    @classmethod
    def of_growth(cls, ours: dict[str, float], target: float) -> Self:
        label = f"memory after {ours['invocations']:,.0f} invocations"
        value = ours | {"value": ours["grown_mb"]}
        return cls(label, "before", "MB more", f"< {target:g} MB", value["value"] < target, value, None)

    @classmethod
    def of_tenants(
        cls, ours: dict[str, float], published: dict[str, float] | None, milliseconds: float, kilobytes: float
    ) -> list[Self]:
        """Returns the lines about one manager among hundreds: time and memory."""
        count = f"one of {ours['managers']:,.0f} managers, 10 plugins"

        def verdict(measured: dict[str, float], key: str) -> dict[str, Any]:
            return measured | {"value": measured[key]}

        return [
            cls(
                f"{count}: {what}",
                "",
                unit,
                f"≤ {target:g} {unit}",
                ours[key] <= target,
                verdict(ours, key),
                verdict(published, key) if published else None,
            )
            for what, key, unit, target in (
                ("build and initialize", "from_config_ms", "ms", milliseconds),
                ("the same from a file", "from_file_ms", "ms", milliseconds),
                ("memory", "kb", "KB", kilobytes),
            )
        ]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """Returns the texts of the columns, in the order of `HEADINGS`."""
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return (
            self.label,
            f"{self.floor} {_time(self.ours, 'floor_us')}".rstrip(),
            _time(self.ours, "subject_us"),
            _compared(self.ours, self.unit),
            self.target,
            met,
            _time(self.published, "subject_us"),
            _compared(self.published, self.unit),
        )


def _time(verdict: dict[str, Any] | None, key: str) -> str:
    if verdict is None or key not in verdict:
        return ""
    microseconds = verdict[key]
    if microseconds >= 10_000:
        return f"{microseconds / 1e3:.0f} ms"
    return f"{microseconds:.2f} µs" if microseconds < 100 else f"{microseconds:.0f} µs"


def _compared(verdict: dict[str, Any] | None, unit: str) -> str:
    if verdict is None:
        return ""
    if "error" in verdict:
        return str(verdict["error"])[:40]
    value = verdict["value"]
    return f"{value:.3f} {unit}" if abs(value) < 0.1 else f"{value:.2f} {unit}"


def table(lines: list[Line]) -> str:
    """Returns the report with aligned columns."""
    rows = [HEADINGS, *(line.cells() for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]

    def text(row: tuple[str, ...]) -> str:
        left = 2
        cells = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join([text(rows[0]), "  ".join("-" * w for w in widths), *(text(row) for row in rows[1:])])


def markdown(lines: list[Line], facts: dict[str, str]) -> str:
    """Returns the report as it goes into docs/performance.md."""
    head = f"{facts['date']}, CPython {facts['python']}, {facts['system']}, {facts['processor']}\n\n"
    rows = [HEADINGS, ("---", "---", *("---:",) * (len(HEADINGS) - 2)), *(line.cells() for line in lines)]
    return head + "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"
