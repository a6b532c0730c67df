"""HTTP clients that are made at their first use and closed with the event loop they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


class LoopClients:
    """One HTTP client for each event loop: the connections of a client can't be used in another loop.

    An async generator holds each client. A loop that `asyncio.run` ends closes the generators that are still open, and
    a generator that nobody refers to is closed in its own loop: no connection outlives its loop or this object.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        """Prepare.

        Args:
            headers: Sent with each request.
        """
        self._headers = dict(headers)
        self._lifetimes: dict[asyncio.AbstractEventLoop, _Lifetime] = {}
        self._closed = False

    async def get(self) -> httpx.AsyncClient:
        """Give the client of the running loop.

        Returns:
            The client.

        Raises:
            RuntimeError: If `close()` was called.
        """
        if self._closed:
            raise RuntimeError("Cannot send a request, as the client has been closed.")
        loop = asyncio.get_running_loop()
        lifetime = self._lifetimes.get(loop)
        if lifetime is None:
            for ended in [other for other in list(self._lifetimes) if other.is_closed()]:
                self._lifetimes.pop(ended, None)
            lifetime = self._lifetimes[loop] = _Lifetime(self._headers)
        return await lifetime.client()

    async def close(self) -> None:
        """Close the running loop's client, and have the other loops close theirs."""
        self._closed = True
        own = self._lifetimes.pop(asyncio.get_running_loop(), None)
        self._lifetimes.clear()
        if own is not None:
            await own.close()


class _Lifetime:
    """A client, from its first use to its loop's end."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._generator = _open(headers)
        self._client: httpx.AsyncClient | None = None

    async def client(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = await anext(self._generator)
        return self._client

    async def close(self) -> None:
        await self._generator.aclose()


async def _open(headers: Mapping[str, str]) -> AsyncGenerator[httpx.AsyncClient, None]:
    import httpx

    client = httpx.AsyncClient(headers=headers, timeout=None, follow_redirects=False)
    try:
        yield client
    finally:
        await client.aclose()
