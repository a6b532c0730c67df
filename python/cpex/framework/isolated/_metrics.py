"""What is known of the workers of isolated plugins, as metrics."""

from __future__ import annotations

from typing import Final

from cpex.framework._exposition import Families, exposition, labelled, states
from cpex.framework.isolated._status import WorkerStatus, watched

__all__ = ["metrics"]

_FAMILIES: Final[Families[WorkerStatus]] = {
    ("cpex_isolated_workers", "gauge", "Workers that run."): {"": lambda worker: worker.process is not None},
    ("cpex_isolated_calls_total", "counter", "Calls that were sent to a worker."): {"": lambda worker: worker.calls},
    ("cpex_isolated_calls_in_flight", "gauge", "Calls under way."): {"": lambda worker: worker.outstanding},
    ("cpex_isolated_restarts_total", "counter", "Times that a worker was started again."): {
        "": lambda worker: max(worker.starts - 1, 0)
    },
    ("cpex_isolated_faults_total", "counter", "Times that a worker did not start, ended by itself or was killed."): {
        "": lambda worker: worker.faults
    },
    ("cpex_isolated_breakers", "gauge", "Workers by whether they are started when they have to be."): states(
        lambda worker: worker.breaker
    ),
    ("cpex_isolated_breaker_changes_total", "counter", "Changes of the breaker, by what it turned into."): {
        'to="closed"': lambda worker: worker.closed,
        'to="open"': lambda worker: worker.opened,
        'to="half_open"': lambda worker: worker.half_opened,
    },
}


def metrics() -> str:
    """Say what is known of the workers of this process's isolated plugins, for a Prometheus to fetch.

    Returns:
        Metrics in the text format of Prometheus, labelled with the plugin. The workers of a plugin, and plugins of the
        same name, as those of several tenants, are added up.
    """
    known = [(labelled(plugin=plugin.name), worker) for plugin in list(watched) for worker in plugin.workers]
    return exposition(_FAMILIES, known)
