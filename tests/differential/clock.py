"""An event loop whose time jumps to the next timer as soon as nothing else is left to do."""

import asyncio
import selectors
from typing import Any, cast


class Stuck(RuntimeError):
    """Nothing is ready and no timer is set: on a real loop this would hang for ever."""


class _JumpingSelector:
    """Answers at once; where a real selector would sleep, it moves the loop's clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            raise Stuck("no timer is set and no callback is ready")
        self.now += timeout
        return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Seconds cost nothing here, and the order of events depends on nothing but the program."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(cast(selectors.BaseSelector, self._clock))

    def time(self) -> float:
        """Returns virtual seconds since the loop was made."""
        return self._clock.now
