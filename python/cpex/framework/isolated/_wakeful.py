"""The selector of a worker's event loop: between calls that follow each other closely it stays awake."""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
from time import monotonic
from typing import Any, Final

BRIEF: Final = 200e-6
"""Seconds; a longer wait is slept through. To wake a process that sleeps takes as long as many a call."""

_PROOF: Final = 4
"""So many waits in a row have to have been brief before the next one is expected to be."""


def event_loop() -> asyncio.AbstractEventLoop:
    """Make the event loop of a worker.

    Returns:
        One that stays awake between calls; not where host and worker have to share one core.
    """
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    made = asyncio.SelectorEventLoop(WakefulSelector() if cores > 1 else None)
    # As `asyncio.run` does: code of plugins may ask for it where none runs yet.
    asyncio.set_event_loop(made)
    return made


class WakefulSelector(selectors.DefaultSelector):
    """Looks again and again for a moment, before it sleeps, as long as there was something each time.

    The first wait that is not brief ends that. Whoever else wants the core gets it.
    """

    _brief = 0
    """How many waits in a row were."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, Any]]:
        """Wait until something is ready.

        Args:
            timeout: After so many seconds nothing is; None: wait for good.

        Returns:
            What is ready.
        """
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        began = monotonic()
        ready = self._look(began + BRIEF) if self._brief >= _PROOF else []
        ready = ready or super().select(timeout)
        self._brief = self._brief + 1 if ready and monotonic() - began < BRIEF else 0
        return ready

    def _look(self, until: float) -> list[tuple[selectors.SelectorKey, Any]]:
        while monotonic() < until:
            if ready := super().select(0):
                return ready
            os.sched_yield()
        return []
