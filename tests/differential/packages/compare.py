"""Plays one case on both packages at once, with an endpoint for each, and takes out what the clock says."""

import json
import math
from typing import Any, Final

from ..allowed import comparable
from ..case import Case, Observation
from ..look import walk
from ..side import Side
from .collector import Collector
from .matrix import COLLECTOR
from .work import plain

Collectors = tuple[Collector, Collector]

# What plugins read off the clock, and by how much it may differ on a busy machine: both sides play at once.
CLOCK_READINGS: Final[dict[str, float]] = {
    "X-RateLimit-Reset": 60,
    "Retry-After": 60,
    "reset_in": 60,
    "ica_metering_start_time": 60,
    "latency_ms": 60_000,
    "latencyMs": 60_000,
}


def tell(side: Side, case: Case, collector: Collector) -> None:
    side.tell(json.loads(json.dumps(case).replace(COLLECTOR, collector.url)))


def hear(side: Side, collector: Collector) -> Observation:
    noticed = side.hear()
    noticed["sent"] = collector.take()
    observation: Observation = json.loads(json.dumps(noticed).replace(collector.url, COLLECTOR))
    return observation


def play(case: Case, ours: Side, published: Side, collectors: Collectors) -> tuple[Observation, Observation]:
    """Returns what both sides noticed, without what is meant to differ."""
    tell(ours, case, collectors[0])
    tell(published, case, collectors[1])
    left, right = comparable(case, hear(ours, collectors[0]), hear(published, collectors[1]))
    align_clocks(left, right)
    return left, right


def align_clocks(ours: Any, published: Any) -> None:
    """Takes over our clock readings where the published package's are about the same."""
    for left, right in zip(walk(ours), walk(published), strict=False):
        for name in CLOCK_READINGS.keys() & left.keys() & right.keys():
            if abs(number(left[name]) - number(right[name])) <= CLOCK_READINGS[name]:
                right[name] = left[name]


def number(reading: Any) -> float:
    """Returns a reading of the clock as a number; NaN, which is near nothing, if it is none."""
    plain_reading = plain(reading)
    return math.nan if plain_reading is None else float(plain_reading)
