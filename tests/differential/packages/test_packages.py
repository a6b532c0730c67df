"""Each published plugin does its work on CPEX, in every mode and under every policy, as on the published package."""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path
from typing import Final, cast

import pytest
from packaging.requirements import Requirement

from ..case import Call, Mode
from ..side import Side
from ..test_differential import differences
from .collector import Collector
from .compare import Collectors, play
from .matrix import LINE_UP, MODES, POLICIES, Input, Setup, setup_named, setups, to_case, to_plugin
from .work import check_work

ROOT: Final = Path(__file__).parents[3]
PACKAGES: Final = (ROOT / "requirements" / "third-party.in", ROOT / "examples" / "agent-session" / "requirements.txt")
SETUPS: Final = list(setups())
SETUP_NAMES: Final = [f"{setup['package']} {setup['name']}" for setup in SETUPS]


@pytest.fixture(scope="module")
def collectors() -> Iterator[Collectors]:
    with Collector.running() as ours, Collector.running() as published:
        yield ours, published


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
@pytest.mark.parametrize("setup", SETUPS, ids=SETUP_NAMES)
def test_works_as_on_the_published_package(
    ours: Side, published: Side, collectors: Collectors, setup: Setup, mode: Mode, policy: str
) -> None:
    case = to_case([to_plugin(setup, mode)], setup["inputs"], POLICIES[policy])
    here, there = play(case, ours, published, collectors)
    assert "\n".join(differences(here, there)) == ""
    assert here["load"]["plugins"] == 1
    check_work(setup, mode, policy, here)


VARIANTS: Final[dict[str, Call]] = {
    "denials as exceptions": {"as_exceptions": True},
    "one plugin": {"only_plugin": ""},
    "one plugin, as JSON": {"only_plugin": "", "as_json": True},
    "contexts handed on": {"table": True, "keep_context": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("setup", SETUPS, ids=SETUP_NAMES)
def test_called_in_other_ways_as_on_the_published_package(
    ours: Side, published: Side, collectors: Collectors, setup: Setup, variant: str
) -> None:
    options = VARIANTS[variant]
    if "only_plugin" in options:
        options = {**options, "only_plugin": setup["package"]}
    # A model that is no part of the payload's type does not survive JSON.
    inputs = [each for each in setup["inputs"] if not ("as_json" in options and "$model" in json.dumps(each))]
    case = to_case(
        [to_plugin(setup, "sequential")], [cast(Input, {**each, **options}) for each in inputs], {"made": "borg"}
    )
    here, there = play(case, ours, published, collectors)
    assert len(here["calls"]) == len(inputs)
    assert "\n".join(differences(here, there)) == ""


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
