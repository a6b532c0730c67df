"""Each published plugin does its work on CPEX, in every mode and under every policy, as on the published package."""

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement

from ..allowed import comparable
from ..case import Case, Mode, Observation
from ..look import walk
from ..side import Side
from ..test_differential import differences
from .collector import Collector
from .matrix import COLLECTOR, LINE_UP, MODES, POLICIES, Setup, setup_named, setups, to_case, to_plugin
from .work import check_work, plain

ROOT: Final = Path(__file__).parents[3]
PACKAGES: Final = (ROOT / "requirements" / "third-party.in", ROOT / "examples" / "agent-session" / "requirements.txt")
SETUPS: Final = list(setups())
# What plugins read off the clock, and by how much it may differ on a busy machine: both sides play at once.
CLOCK_READINGS: Final[dict[str, float]] = {
    "X-RateLimit-Reset": 60,
    "Retry-After": 60,
    "reset_in": 60,
    "ica_metering_start_time": 60,
    "latency_ms": 60_000,
    "latencyMs": 60_000,
}

Collectors = tuple[Collector, Collector]


@pytest.fixture(scope="module")
def collectors() -> Iterator[Collectors]:
    with Collector.running() as ours, Collector.running() as published:
        yield ours, published


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


def installed(python: str) -> dict[str, str]:
    """Returns what is installed beside an interpreter, with versions."""
    listing = "import json, importlib.metadata as m; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    done = subprocess.run([python, "-I", "-c", listing], capture_output=True, text=True, check=True)
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def test_both_sides_have_the_same_packages(published_python: str) -> None:
    lines = [line for file in PACKAGES for line in file.read_text().splitlines() if "==" in line]
    pinned = dict(line.split("==") for line in lines)
    assert pinned.keys() == {setup["package"] for setup in SETUPS}
    for versions in installed(sys.executable), installed(published_python):
        assert {name: versions[name] for name in pinned} == pinned


@pytest.mark.parametrize("package", sorted({setup["package"] for setup in SETUPS}))
def test_our_version_is_one_that_the_package_asks_for(package: str) -> None:
    (asked,) = (each for each in map(Requirement, requires(package) or []) if each.name == "cpex")
    assert version("cpex") in asked.specifier


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("setup", SETUPS, ids=[f"{setup['package']} {setup['name']}" for setup in SETUPS])
def test_works_as_on_the_published_package(
    ours: Side, published: Side, collectors: Collectors, setup: Setup, mode: Mode, policy: str
) -> None:
    case = to_case([to_plugin(setup, mode)], setup["inputs"], POLICIES[policy])
    here, there = play(case, ours, published, collectors)
    assert "\n".join(differences(here, there)) == ""
    assert here["load"]["plugins"] == 1
    check_work(setup, mode, policy, here)


ONE_MODE: Final = ["sequential", "transform", "audit", "concurrent", "fire_and_forget"]


@pytest.mark.parametrize(
    ("only_mode", "policy"), [*((None, policy) for policy in POLICIES), *((mode, "no policy") for mode in ONE_MODE)]
)
def test_all_together_as_on_the_published_package(
    ours: Side, published: Side, collectors: Collectors, only_mode: Mode | None, policy: str
) -> None:
    """Ten plugins on one manager see every input; each in a mode that suits it, or all in the same."""
    plugins = [
        to_plugin(setup_named(package, name), only_mode or mode, priority)
        for priority, (package, name, mode) in enumerate(LINE_UP)
    ]
    inputs = [each for setup in SETUPS for each in setup["inputs"] if "raises" not in each["expect"]]
    here, there = play(to_case(plugins, inputs, POLICIES[policy]), ours, published, collectors)
    assert here["load"]["plugins"] == len(LINE_UP)
    assert "\n".join(differences(here, there)) == ""
