"""The tasks of fire-and-forget plugins, until they end."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

logger = logging.getLogger("cpex.framework.manager")

_GRACE_SECONDS = 1.0


class BackgroundTasks:
    """Tasks that nobody waits for, of any event loop."""

    def __init__(self) -> None:
        """Begin with none."""
        self._tasks: set[Task[Any]] = set()

    def add(self, tasks: Iterable[Task[Any]]) -> None:
        """Keep tasks until they end.

        Args:
            tasks: The tasks.
        """
        for task in tasks:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finish(self, seconds: float) -> None:
        """Let the tasks end, and cancel those that do not. A task that calls this does not wait for itself.

        Args:
            seconds: How long they may take.
        """
        if not self._tasks:
            return
        from asyncio import current_task, gather, get_running_loop, run_coroutine_threadsafe, wait_for, wrap_future

        by_loop: dict[AbstractEventLoop, set[Task[Any]]] = {}
        for task in self._tasks - {current_task()}:
            by_loop.setdefault(task.get_loop(), set()).add(task)
        # A loop that stands still runs none of its tasks any more.
        running = {loop: tasks for loop, tasks in by_loop.items() if loop.is_running()}
        self._tasks.difference_update(*(by_loop[loop] for loop in by_loop.keys() - running.keys()))
        own = running.pop(get_running_loop(), set())
        elsewhere = [
            wrap_future(run_coroutine_threadsafe(_end(tasks, seconds), loop)) for loop, tasks in running.items()
        ]
        try:
            await wait_for(gather(_end(own, seconds), *elsewhere), seconds + 2 * _GRACE_SECONDS)
        except TimeoutError:
            logger.warning("Background plugins still run: their event loop does not answer")


async def _end(tasks: set[Task[Any]], seconds: float) -> None:
    """Wait for tasks of the running loop, and cancel what is left, also when the waiting is cancelled."""
    from asyncio import wait

    pending = tasks
    try:
        if tasks:
            _, pending = await wait(tasks, timeout=seconds)
    finally:
        for task in pending:
            task.cancel()
    if not pending:
        return
    names = ", ".join(sorted(getattr(task.get_coro(), "__qualname__", task.get_name()) for task in pending))
    logger.warning("Cancelled at shutdown, after %g s in the background: %s", seconds, names)
    await wait(pending, timeout=_GRACE_SECONDS)
