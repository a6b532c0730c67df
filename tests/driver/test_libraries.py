"""Libraries that keep books about the current task: anyio and httpx inside a plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from cpex.framework import PluginError, PluginResult

from .world import SERIAL_WAYS, Journal, Suspended, call, task

pytestmark = pytest.mark.usefixtures("tidy")


async def test_fail_after_inside_a_plugin(way: str) -> None:
    journal = Journal()

    async def body() -> None:
        try:
            with anyio.fail_after(0.002):
                await anyio.sleep(30)
        except TimeoutError:
            journal("timed out")
        await anyio.sleep(0)

    assert isinstance(await call(way, body, timeout=30), PluginResult)
    assert journal.lines == ["timed out"]
    assert task().cancelling() == 0


async def test_fail_after_around_the_call(way: str) -> None:
    plugin = Suspended()
    with pytest.raises(TimeoutError) as caught:
        with anyio.fail_after(0.002):
            await call(way, plugin, timeout=30)
    assert not isinstance(caught.value, PluginError)
    assert "finally" in plugin.journal.lines
    assert task().cancelling() == 0


async def test_cancel_scope_inside_a_plugin(way: str) -> None:
    journal = Journal()

    async def body() -> None:
        with anyio.CancelScope() as scope:
            asyncio.get_running_loop().call_soon(scope.cancel)
            await anyio.sleep(30)
        journal(scope.cancelled_caught)

    await call(way, body, timeout=30)
    assert journal.lines == [True]
    assert task().cancelling() == 0


async def test_cancel_scope_around_the_call(way: str) -> None:
    plugin = Suspended()
    with anyio.CancelScope() as scope:
        asyncio.get_running_loop().call_soon(scope.cancel)
        await call(way, plugin, timeout=30)
    assert scope.cancelled_caught
    assert plugin.journal.lines == ["CancelledError", "finally"]
    assert task().cancelling() == 0


@pytest.mark.parametrize("way", SERIAL_WAYS)
async def test_deadline_goes_through_a_cancel_scope(way: str) -> None:
    journal = Journal()

    async def body() -> None:
        with anyio.CancelScope() as scope:
            try:
                await anyio.sleep(30)
            finally:
                journal(scope.cancel_called)

    with pytest.raises(PluginError, match="timeout"):
        await call(way, body, timeout=0.005)
    assert journal.lines == [False]
    assert task().cancelling() == 0


async def test_shielded_cleanup(way: str) -> None:
    journal = Journal()

    async def body() -> None:
        try:
            await anyio.sleep(30)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.001)
                journal("cleaned up")

    with anyio.move_on_after(0.002) as scope:
        await call(way, body, timeout=30)
    assert scope.cancelled_caught
    assert journal.lines == ["cleaned up"]


async def test_task_group_inside_a_plugin(way: str) -> None:
    journal = Journal()

    async def child(word: str) -> None:
        await anyio.sleep(0.001)
        journal(word)

    async def body() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(child, "a")
            group.start_soon(child, "b")
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 30)
            await anyio.sleep(0)
            group.cancel_scope.cancel()

    await call(way, body, timeout=30)
    assert sorted(journal.lines) == ["a", "b"]
    assert task().cancelling() == 0


async def test_task_group_around_the_call(way: str) -> None:
    plugin = Suspended()
    async with anyio.create_task_group() as group:
        group.start_soon(call, way, plugin, 30)
        await plugin.started.wait()
        group.cancel_scope.cancel()
    assert plugin.journal.lines == ["CancelledError", "finally"]


async def test_thread_called_from_a_plugin(way: str) -> None:
    async def body() -> PluginResult[None]:
        return PluginResult(metadata={"sum": await anyio.to_thread.run_sync(sum, (1, 2))})

    assert (await call(way, body, timeout=30)).metadata == {"sum": 3}


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """An HTTP server that answers `/now` at once and anything else never."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                while await reader.readline() not in (b"\r\n", b""):
                    pass
                if b"/now" not in line:
                    await reader.read()
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    async with listening:
        yield f"http://{host}:{port}"


async def test_http_call_inside_a_plugin(way: str, server: str) -> None:
    async def body() -> PluginResult[None]:
        async with httpx.AsyncClient(trust_env=False) as client:
            answers = [(await client.get(f"{server}/now")).text for _ in range(3)]
        return PluginResult(metadata={"answers": answers})

    assert (await call(way, body, timeout=30)).metadata == {"answers": ["ok"] * 3}


async def test_http_timeout_inside_a_plugin(way: str, server: str) -> None:
    journal = Journal()

    async def body() -> None:
        async with httpx.AsyncClient(timeout=httpx.Timeout(30, read=0.01), trust_env=False) as client:
            try:
                await client.get(f"{server}/never")
            except httpx.ReadTimeout:
                journal("timed out")

    await call(way, body, timeout=30)
    assert journal.lines == ["timed out"]
    assert task().cancelling() == 0


@pytest.mark.parametrize("way", [*SERIAL_WAYS, "concurrent"])
async def test_deadline_during_an_http_call(way: str, server: str) -> None:
    """The client's connection is closed on the way out, and the client works again afterwards."""
    async with httpx.AsyncClient(trust_env=False) as client:

        async def body() -> None:
            await client.get(f"{server}/never")

        with pytest.raises(PluginError, match="exceeded 0.02s timeout"):
            await call(way, body, timeout=0.02)
        assert (await client.get(f"{server}/now")).text == "ok"
    assert task().cancelling() == 0
