"""A lock for coroutines that may run in different event loops."""

from __future__ import annotations

import threading

_RETRY_SECONDS = 0.002


class InitLock:
    """Serialises coroutines of one loop, and of several loops in several threads.

    `asyncio.Lock` belongs to one loop; a plugin manager may be shared by many.
    """

    def __init__(self) -> None:
        """Make an open lock."""
        self._lock = threading.Lock()

    def locked(self) -> bool:
        """Tell whether somebody holds the lock."""
        return self._lock.locked()

    async def __aenter__(self) -> None:
        from asyncio import sleep

        while not self._lock.acquire(blocking=False):
            await sleep(_RETRY_SECONDS)

    async def __aexit__(self, *exc_info: object) -> None:
        self._lock.release()
