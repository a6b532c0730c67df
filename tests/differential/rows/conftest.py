"""Both packages, ready to run probes."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import pytest

from ..side import Side
from .outcome import Raised

Probe = Callable[..., Any]


class Both(NamedTuple):
    """One outcome on each side."""

    ours: Any
    published: Any


class RunBoth(Protocol):
    """Runs a probe on both sides."""

    def __call__(self, probe: Probe, *arguments: Any, **variables: str) -> Both:
        """Returns the outcomes, with these variables in the environment."""


@pytest.fixture(scope="session")
def run_both(published_python: str) -> Iterator[RunBoth]:
    """Runs probes; a process stays alive for each set of variables."""
    sides: dict[tuple[Any, ...], Side] = {}

    def side(python: str, variables: dict[str, str]) -> Side:
        key = (python, *sorted(variables.items()))
        if key not in sides:
            sides[key] = Side(python, "differential.rows.stage", **variables)
        return sides[key]

    def run(probe: Probe, *arguments: Any, **variables: str) -> Both:
        asked = [side(python, variables) for python in (sys.executable, published_python)]
        for each in asked:
            each.tell([f"{probe.__module__}:{probe.__name__}", arguments])
        return Both(*map(_outcome, [each.hear() for each in asked]))

    yield run
    for each in sides.values():
        each.close()


def _outcome(answer: dict[str, Any]) -> Any:
    return Raised(answer["raised"], answer["says"]) if "raised" in answer else answer["returned"]
