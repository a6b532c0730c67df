"""What is known of the servers of external plugins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

if TYPE_CHECKING:
    from cpex.framework.external._client import RemotePlugin

__all__ = ["ServerStatus", "watched"]


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What an external plugin knows of one of its servers.

    Attributes:
        target: Where it is.
        breaker: Whether calls are sent there: `closed` if they are, `open` if the server is left alone for a while, and
            `half_open` if one at a time is.
        outstanding: Calls under way.
        silent: Whether it does not answer health checks: it is asked only if no other can be.
        opened: How often the breaker has opened, since `initialize()`, like what follows.
        half_opened: How often it has let a call through to try the server.
        closed: How often it has closed again.
        ejected: How often the server has stopped to answer health checks.
        readmitted: How often it has answered them again.
        retried: Calls that were tried again there.
        hedged: Calls that were sent there because another server took long.
    """

    target: str
    breaker: Literal["closed", "open", "half_open"]
    outstanding: int
    silent: bool
    opened: int
    half_opened: int
    closed: int
    ejected: int
    readmitted: int
    retried: int
    hedged: int


watched: WeakSet[RemotePlugin] = WeakSet()
"""The external plugins of this process."""
