"""What is known of the servers of external plugins, as metrics."""

from __future__ import annotations

from typing import Final

from cpex.framework._exposition import Families, exposition, labelled, states
from cpex.framework.external._status import ServerStatus, watched

__all__ = ["metrics"]

_FAMILIES: Final[Families[ServerStatus]] = {
    ("cpex_external_breakers", "gauge", "Clients by what they do with calls for the server."): states(
        lambda server: server.breaker
    ),
    ("cpex_external_breaker_changes_total", "counter", "Changes of the breaker, by what it turned into."): {
        'to="closed"': lambda server: server.closed,
        'to="open"': lambda server: server.opened,
        'to="half_open"': lambda server: server.half_opened,
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


def metrics() -> str:
    """Say what is known of the servers of this process's external plugins, for a Prometheus to fetch.

    Returns:
        Metrics in the text format of Prometheus, labelled with the plugin and the server. Plugins of the same name that
        have the same server, as those of several tenants, are added up.
    """
    known = [
        (labelled(plugin=plugin.name, server=server.target), server)
        for plugin in list(watched)
        for server in plugin.servers
    ]
    return exposition(_FAMILIES, known)
