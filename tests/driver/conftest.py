"""Every test ends with no task, no timer and no unraised error left behind."""

from __future__ import annotations

import asyncio
import faulthandler
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from .world import WAYS, settle, timers


@pytest.fixture(autouse=True, scope="session")
def _faulthandler() -> None:
    """A segmentation fault would say where."""
    if not faulthandler.is_enabled():
        faulthandler.enable()


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Plain Python, and each way in which the engine runs one plugin on the caller's own task."""
    yield str(request.param)


@pytest.fixture
async def tidy() -> AsyncIterator[list[dict[str, Any]]]:
    """Checks that nothing is left in the event loop, and that nothing reached its exception handler."""
    event_loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    event_loop.set_exception_handler(lambda _, context: complaints.append(context))
    before = asyncio.all_tasks()
    timers_before = {id(timer) for timer in timers()}
    yield complaints
    await settle()
    assert asyncio.all_tasks() - before - {asyncio.current_task()} == set()
    assert [timer for timer in timers() if id(timer) not in timers_before] == []
    assert complaints == []
