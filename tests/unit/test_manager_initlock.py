"""The lock of `initialize()` and `shutdown()`: one holder, whatever loops and threads ask for it."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from cpex.framework._initlock import InitLock


async def hold(lock: InitLock, inside: list[int], turns: int = 1) -> None:
    for _ in range(turns):
        async with lock:
            inside.append(1)
            assert len(inside) == 1
            await asyncio.sleep(0)
            inside.pop()


async def test_first_come_first_served() -> None:
    lock, order = InitLock(), []

    async def come(number: int) -> None:
        async with lock:
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(come(number) for number in range(10)))
    assert order == list(range(10))
    assert not lock.locked()


async def test_nobody_polls() -> None:
    """While somebody waits, the loop has nothing to do."""
    lock = InitLock()
    await lock.__aenter__()
    waiting = asyncio.create_task(hold(lock, []))
    await asyncio.sleep(0)
    loop: Any = asyncio.get_running_loop()
    assert not loop._ready
    assert not loop._scheduled
    assert lock.locked()
    await lock.__aexit__()
    await waiting
    assert not lock.locked()


def test_many_loops() -> None:
    lock, inside, errors = InitLock(), list[int](), list[BaseException]()

    def run() -> None:
        async def all_of_them() -> None:
            await asyncio.gather(*(hold(lock, inside, 20) for _ in range(5)))

        try:
            asyncio.run(all_of_them())
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert not lock.locked()


@pytest.mark.parametrize("handed_over", [False, True])
async def test_who_gives_up_loses_nothing(handed_over: bool) -> None:
    lock = InitLock()
    await lock.__aenter__()
    impatient, patient = (asyncio.create_task(hold(lock, [])) for _ in range(2))
    await asyncio.sleep(0)
    if handed_over:
        await lock.__aexit__()
    impatient.cancel()
    await asyncio.wait([impatient])
    assert impatient.cancelled()
    if not handed_over:
        assert not patient.done()
        await lock.__aexit__()
    await patient
    assert not lock.locked()


def test_a_waiter_whose_loop_is_gone_does_not_keep_the_lock() -> None:
    lock = InitLock()
    asyncio.run(lock.__aenter__())
    abandoned = asyncio.new_event_loop()
    waiter = abandoned.create_task(hold(lock, []))
    abandoned.call_soon(abandoned.stop)
    abandoned.run_forever()
    abandoned.close()
    asyncio.run(lock.__aexit__())
    assert not lock.locked()
    asyncio.run(hold(lock, []))
    waiter._log_destroy_pending = False  # type: ignore[attr-defined]
    del waiter
    gc.collect()


async def test_an_error_inside_opens_it() -> None:
    lock = InitLock()
    with pytest.raises(ValueError, match="x"):
        async with lock:
            raise ValueError("x")
    assert not lock.locked()
