"""Metrics in the text format of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

__all__ = ["Families", "exposition", "labelled", "states"]

_T = TypeVar("_T")

Families = Mapping[tuple[str, Literal["counter", "gauge"], str], Mapping[str, Callable[[_T], int]]]
"""Name, type and help of each family, and by its labels how a sample is read."""


def states(read: Callable[[_T], str]) -> dict[str, Callable[[_T], int]]:
    """Make samples of a breaker's state.

    Args:
        read: Tells the state.

    Returns:
        How the samples of a gauge are read, by their labels.
    """
    return {
        f'state="{state}"': lambda known, state=state: read(known) == state  # type: ignore[misc]
        for state in ("closed", "open", "half_open")
    }


def labelled(**labels: str) -> str:
    """Write labels.

    Args:
        **labels: Their values.

    Returns:
        What is between the braces.
    """
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def exposition(families: Families[_T], known: Sequence[tuple[str, _T]]) -> str:
    """Write metrics. What has the same labels is added up.

    Args:
        families: What is told.
        known: What it is told of, each with its labels.

    Returns:
        The text.
    """
    return "".join(
        f"# HELP {name} {text}\n# TYPE {name} {kind}\n{_samples(name, known, reads)}"
        for (name, kind, text), reads in families.items()
    )


def _samples(name: str, known: Sequence[tuple[str, _T]], reads: Mapping[str, Callable[[_T], int]]) -> str:
    values: Counter[str] = Counter()
    for whose, status in known:
        for labels, read in reads.items():
            values[f"{whose},{labels}" if labels else whose] += int(read(status))
    return "".join(f"{name}{{{labels}}} {value}\n" for labels, value in values.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
