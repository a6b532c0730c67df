"""A lock for coroutines that may run in different event loops."""

from __future__ import annotations

import asyncio
import threading
from collections import deque


class InitLock:
    """Serialises coroutines of one loop, and of several loops in several threads, in the order in which they came.

    `asyncio.Lock` belongs to one loop; a plugin manager may be shared by many. Nobody polls: who leaves hands the lock
    over to who has waited longest, in the loop of that one.
    """

    def __init__(self) -> None:
        """Make an open lock."""
        self._mutex = threading.Lock()
        self._held = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def locked(self) -> bool:
        """Tell whether somebody holds the lock."""
        return self._held

    async def __aenter__(self) -> None:
        with self._mutex:
            if not self._held:
                self._held = True
                return
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            with self._mutex:
                handed_over = turn not in self._waiting
                if not handed_over:
                    self._waiting.remove(turn)
            if handed_over:
                self._hand_over()
            raise

    async def __aexit__(self, *exc_info: object) -> None:
        self._hand_over()

    def _hand_over(self) -> None:
        with self._mutex:
            while self._waiting:
                turn = self._waiting.popleft()
                try:
                    turn.get_loop().call_soon_threadsafe(_begin, turn)
                except RuntimeError:
                    continue  # its loop is closed: nobody waits any more
                return
            self._held = False


def _begin(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
