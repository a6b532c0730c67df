"""What is known of the servers of external plugins, and as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

if TYPE_CHECKING:
    from cpex.framework.external._client import RemotePlugin

__all__ = ["ServerStatus", "metrics", "watched"]


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

_Read = Callable[[ServerStatus], int]
_FAMILIES: dict[tuple[str, str, str], dict[str, _Read]] = {
    ("cpex_external_breakers", "gauge", "Clients by what they do with calls for the server."): {
        f',state="{state}"': lambda server, state=state: server.breaker == state  # type: ignore[misc]
        for state in ("closed", "open", "half_open")
    },
    ("cpex_external_breaker_changes_total", "counter", "Changes of the breaker, by what it turned into."): {
        ',to="closed"': lambda server: server.closed,
        ',to="open"': lambda server: server.opened,
        ',to="half_open"': lambda server: server.half_opened,
    },
    ("cpex_external_calls_in_flight", "gauge", "Calls under way."): {"": lambda server: server.outstanding},
    ("cpex_external_silent", "gauge", "Clients whose health checks the server does not answer."): {
        "": lambda server: server.silent
    },
    ("cpex_external_ejections_total", "counter", "Times that health checks have failed for."): {
        "": lambda server: server.ejected
    },
    ("cpex_external_retries_total", "counter", "Calls that were tried again there."): {
        "": lambda server: server.retried
    },
    ("cpex_external_hedges_total", "counter", "Calls that were sent there because another server took long."): {
        "": lambda server: server.hedged
    },
}
"""Name, type and help of each family, and by its labels how a sample is read."""


def metrics() -> str:
    """Say what is known of the servers of this process's external plugins, for a Prometheus to fetch.

    Returns:
        Metrics in the text format of Prometheus, labelled with the plugin and the server. Plugins of the same name that
        have the same server, as those of several tenants, are added up.
    """
    known = [(plugin.name, server) for plugin in list(watched) for server in plugin.servers]
    return "".join(
        f"# HELP {name} {text}\n# TYPE {name} {kind}\n{_samples(name, known, reads)}"
        for (name, kind, text), reads in _FAMILIES.items()
    )


def _samples(name: str, known: Iterable[tuple[str, ServerStatus]], reads: dict[str, _Read]) -> str:
    values: Counter[str] = Counter()
    for plugin, server in known:
        for labels, read in reads.items():
            values[f'plugin="{_escaped(plugin)}",server="{_escaped(server.target)}"{labels}'] += int(read(server))
    return "".join(f"{name}{{{labels}}} {value}\n" for labels, value in values.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
