"""The report: one line a pair of client and server, compared with the published pair of the same run."""

from dataclasses import dataclass, field
from statistics import median, quantiles

from places import TRANSPORTS

OURS, PUBLISHED, RAW = "ours", "published", "raw echo"
HEADINGS = ("transport", "client → server", "p50", "p99", "calls/s", "a core's", "p50, compared", "calls/s, compared")
TARGETS = {"unix": (3, 8), "grpc": (4, 6), "mcp": (10, 20)}
"""By how much a round trip is to be shorter, and calls per second more, than with the published package."""


@dataclass
class Figure:
    """Samples of one pair: round trips with one call at a time, calls per second with 64."""

    transport: str
    client: str
    server: str
    alone: list[int] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    calls: int = 0
    processor: float = 0.0
    """Seconds that the server used of a core for these calls."""

    @property
    def p50(self) -> float:
        """Microseconds."""
        return median(self.alone) / 1e3

    @property
    def p99(self) -> float:
        """Microseconds."""
        return quantiles(self.alone, n=100)[98] / 1e3

    @property
    def rate(self) -> float:
        return median(self.rates)

    def cells(self, base: "Figure") -> tuple[str, ...]:
        """Returns the texts of the columns; `base` is the published pair."""
        quicker = base.p50 / self.p50
        more = median(mine / theirs for mine, theirs in zip(self.rates, base.rates, strict=True))
        pair = RAW if self.client == RAW else f"{self.client} → {self.server}"
        compared = [f"1/{quicker:.1f}", f"{more:.1f} ×"] if self is not base else ["1", "1 ×"]
        if (self.client, self.server) == (OURS, OURS):
            for i, (value, target) in enumerate(zip((quicker, more), TARGETS[self.transport], strict=True)):
                aim = f"1/{target}" if i == 0 else f"{target} ×"
                compared[i] += f" (target {aim}: {'met' if value >= target else 'NOT met'})"
        times = (f"{self.p50:,.0f} µs", f"{self.p99:,.0f} µs")
        return (
            TRANSPORTS[self.transport],
            pair,
            *times,
            f"{self.rate:,.0f}",
            f"{self.calls / self.processor:,.0f}",
            *compared,
        )


def rows(figures: list[Figure]) -> list[tuple[str, ...]]:
    base = {f.transport: f for f in figures if (f.client, f.server) == (PUBLISHED, PUBLISHED)}
    return [figure.cells(base[figure.transport]) for figure in figures]


def table(figures: list[Figure]) -> str:
    """Returns the report with aligned columns."""
    lines = [HEADINGS, *rows(figures)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def markdown(figures: list[Figure]) -> str:
    """Returns the report as it goes into docs/performance.md."""
    lines = [HEADINGS, ("---", "---", *("---:",) * (len(HEADINGS) - 2)), *rows(figures)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
