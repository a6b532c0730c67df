"""Both packages, ready to run probes."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
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


@contextlib.contextmanager
def stages(published_python: str, folder: Path | None = None) -> Iterator[RunBoth]:
    """Runs probes in processes that were started in a folder; one stays alive for each set of variables."""
    sides: dict[tuple[Any, ...], Side] = {}

    def side(python: str, variables: dict[str, str]) -> Side:
        key = (python, *sorted(variables.items()))
        if key not in sides:
            sides[key] = Side(python, "differential.rows.stage", folder=folder, **variables)
        return sides[key]

    def run(probe: Probe, *arguments: Any, **variables: str) -> Both:
        asked = [side(python, variables) for python in (sys.executable, published_python)]
        for each in asked:
            each.tell([f"{probe.__module__}:{probe.__name__}", arguments])
        return Both(*map(_outcome, [each.hear() for each in asked]))

    try:
        yield run
    finally:
        for each in sides.values():
            each.close()


@pytest.fixture(scope="session")
def run_both(published_python: str) -> Iterator[RunBoth]:
    """Runs probes."""
    with stages(published_python) as run:
        yield run


def _outcome(answer: dict[str, Any]) -> Any:
    return Raised(answer["raised"], answer["says"]) if "raised" in answer else answer["returned"]
