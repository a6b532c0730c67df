"""Between calls that follow each other closely a worker stays awake, and only then."""

from __future__ import annotations

import asyncio
import os
import selectors
import socket
import sys
from typing import Any, Protocol

import pytest

from cpex.framework.isolated import _wakeful
from cpex.framework.isolated._wakeful import BRIEF, WakefulSelector

STEP = BRIEF / 10
"""What a look takes on the clock of these tests."""


class Waits(Protocol):
    """Waits until something is ready after so many seconds; returns the timeouts that the system was asked with."""

    def __call__(self, seconds: float, timeout: float | None = None) -> list[float | None]: ...


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """A selector of a system whose clock is the test's."""
    now, ready_at = 0.0, 0.0
    asked: list[float | None] = []

    def select(_: Any, timeout: float | None = None) -> list[Any]:
        nonlocal now
        asked.append(timeout)
        if timeout == 0:
            now += STEP
        else:
            now = max(now, ready_at if timeout is None else min(ready_at, now + timeout))
        return ["ready"] if now >= ready_at else []

    monkeypatch.setattr(selectors.DefaultSelector, "select", select)
    monkeypatch.setattr(_wakeful, "monotonic", lambda: now)
    selector = WakefulSelector()

    def wait(seconds: float, timeout: float | None = None) -> list[float | None]:
        nonlocal ready_at
        ready_at = now + seconds
        asked.clear()
        selector.select(timeout)
        return list(asked)

    return wait


def _prove(wait: Waits) -> None:
    """Waits briefly until the selector stays awake."""
    for _ in range(20):
        if wait(BRIEF / 2)[0] == 0:
            return
    raise AssertionError("it sleeps through every wait")


def test_a_single_wait_is_slept_through(waits: Waits) -> None:
    assert waits(BRIEF / 2) == [None]


def test_after_brief_waits_it_stays_awake_until_something_comes(waits: Waits) -> None:
    _prove(waits)
    asked = waits(BRIEF / 2)
    assert len(asked) > 1
    assert set(asked) == {0}


def test_it_looks_for_a_moment_only_and_then_sleeps(waits: Waits) -> None:
    _prove(waits)
    *looks, last = waits(100)
    assert last is None
    assert 1 <= len(looks) <= BRIEF / STEP + 1


def test_one_long_wait_ends_it(waits: Waits) -> None:
    _prove(waits)
    waits(100)
    assert waits(BRIEF / 2) == [None]


def test_waits_that_bring_nothing_prove_nothing(waits: Waits) -> None:
    for _ in range(20):
        assert waits(100, BRIEF / 2) == [BRIEF / 2]


def test_who_does_not_want_to_wait_does_not(waits: Waits) -> None:
    _prove(waits)
    assert waits(100, 0) == [0]


@pytest.mark.skipif(sys.platform != "linux", reason="nothing else tells which cores a process may use")
@pytest.mark.parametrize(("cores", "wakeful"), [({0}, False), ({0, 1}, True)])
def test_where_there_is_one_core_nobody_stays_awake_on_it(
    cores: set[int], wakeful: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bool] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    monkeypatch.setattr(asyncio, "SelectorEventLoop", lambda selector: made.append(selector is not None))
    monkeypatch.setattr(asyncio, "set_event_loop", lambda _: None)
    _wakeful.event_loop()
    assert made == [wakeful]


async def test_calls_are_answered_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timers, sockets and other threads wake it, awake as it may be."""
    kept: list[asyncio.AbstractEventLoop] = []
    monkeypatch.setattr(asyncio, "set_event_loop", kept.append)

    async def work() -> list[str]:
        near, far = socket.socketpair()
        with near, far:
            reader, writer = await asyncio.open_connection(sock=near)
            answers = []
            for _ in range(50):
                far.send(b"x")
                answers.append((await reader.read(1)).decode())
            await asyncio.sleep(0.001)
            answers.append(await asyncio.to_thread(str, "thread"))
            writer.close()
        return answers

    def run() -> list[str]:
        with asyncio.Runner(loop_factory=_wakeful.event_loop) as runner:
            return runner.run(work())

    assert await asyncio.to_thread(run) == ["x"] * 50 + ["thread"]
    assert len(kept) == 1
