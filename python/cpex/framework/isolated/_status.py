"""What is known of the workers of isolated plugins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from weakref import WeakSet

if TYPE_CHECKING:
    from cpex.framework.isolated.client import IsolatedVenvPlugin

__all__ = ["WorkerStatus", "watched"]


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What an isolated plugin knows of one of its workers, and of those before it in its place.

    Attributes:
        sandbox: The profile of its sandbox: `none`, `default` or `strict`.
        process: The number of its process; None if it does not run.
        breaker: Whether it is started when it has to be: `closed` if it is, `open` if it is not for a while, and
            `half_open` while that is tried.
        outstanding: Calls under way.
        calls: Calls that were sent, since `initialize()`, like what follows.
        starts: How often it was started.
        faults: How often it did not start, ended by itself or had to be killed.
        opened: How often the breaker has opened.
        half_opened: How often it has let one start to try.
        closed: How often it has closed again.
    """

    sandbox: str
    process: int | None
    breaker: Literal["closed", "open", "half_open"]
    outstanding: int
    calls: int
    starts: int
    faults: int
    opened: int
    half_opened: int
    closed: int


watched: Final[WeakSet[IsolatedVenvPlugin]] = WeakSet()
"""The isolated plugins of this process."""
