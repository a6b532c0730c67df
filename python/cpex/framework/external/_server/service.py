"""A plugin server from start to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Final

import pydantic_core

from cpex import _core
from cpex.framework.external._server.desk import Desk
from cpex.framework.external._server.listen import Listen
from cpex.framework.external._server.signals import stopped_by_signals

if TYPE_CHECKING:
    from cpex.framework.external.mcp.server.server import ExternalPluginServer

__all__ = ["FAREWELL", "Service"]

logger = logging.getLogger(__name__)

FAREWELL: Final = 2.0
"""Seconds that calls have to stop once they are told to, after the time that those under way may take (`grace`)."""


READY: Final = 2.0
"""Seconds for which calls may wait for the event loop before the server says that it is not ready: as long as hosts
wait for an answer to a health check."""

ALIVE: Final = 30.0
"""The same before its health fails, and whoever watches over it restarts it. A plugin that holds up the event loop for
so long has held up every other call beyond the time limit that hosts have by default."""


class Service:
    """Serves the plugins of a server on the running event loop: `start`, then `wait` until it is told to `stop`."""

    def __init__(self, server: ExternalPluginServer, listens: Sequence[Listen]) -> None:
        """Prepare to serve.

        Args:
            server: Whose plugins are served.
            listens: Where.
        """
        self._server = server
        self._listens = list(listens)
        self._core = _core.PluginService(READY, ALIVE)
        self._desk: Desk | None = None
        self._serving: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self.addresses: list[str] = []
        """Where it listens, in words, as in `MCP over HTTP on 127.0.0.1:8000`; known once it has started."""

    @property
    def running(self) -> bool:
        """Whether calls are taken."""
        return self._serving is not None and not self._serving.done()

    @property
    def plugin_count(self) -> int:
        """How many plugins are served."""
        return self._server._plugin_manager.plugin_count

    async def start(self) -> None:
        """Begin to listen, load the plugins, and serve.

        Raises:
            OSError: If it cannot listen there.
            ValueError: If it may not listen there, or TLS cannot be set up.
            RuntimeError: If a plugin cannot be loaded that must not be missing.
        """
        for listen in self._listens:
            address = await self._core.bind(listen)
            self.addresses.append(_described(listen, address))
            logger.info("Listening: %s", self.addresses[-1])
        over_stdio = any(listen.transport == "stdio" for listen in self._listens)
        # Nothing that plugins print may come among the messages; once it serves, the core sees to that.
        with redirect_stdout(sys.stderr) if over_stdio else nullcontext():
            initialized = await self._server.initialize()
        if not initialized:
            raise RuntimeError("the plugins of this server cannot be initialized")
        self._desk = Desk(self._core, self._server._plugin_manager)
        configs = [
            (str(config["name"]), pydantic_core.to_json(config, inf_nan_mode="null").decode())
            for config in await self._server.get_plugin_configs()
        ]
        serving = self._core.serve(configs, self._server._served_hooks(), _metrics_enabled())
        self._serving = asyncio.create_task(_awaited(serving))

    def stop(self) -> None:
        """Take no more calls; those under way may finish. Does nothing if it stops already."""
        self._core.stop()

    async def stopped(self) -> None:
        """Wait until it has stopped and the plugins are shut down, which whoever runs it sees to."""
        await self._over.wait()

    async def wait(self) -> None:
        """Wait until no call is taken or under way, and shut the plugins down. A cancellation stops it, too.

        Raises:
            OSError: If the standard streams cannot be served.
        """
        try:
            if self._serving is not None:
                await self._drained(self._serving)
        finally:
            try:
                if self._desk is not None:
                    await self._desk.close(FAREWELL)
                    self._desk = None
            finally:
                await self._server.shutdown()
                self._over.set()

    async def _drained(self, serving: asyncio.Task[None]) -> None:
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([serving])
            raise

    async def run(self, on_ready: Callable[[Service], None] | None = None) -> None:
        """Serve until told to stop.

        Args:
            on_ready: Called once calls are taken.

        Raises:
            OSError: If it cannot listen there.
            ValueError: If it may not listen there, or TLS cannot be set up.
            RuntimeError: If a plugin cannot be loaded that must not be missing.
        """
        try:
            await self.start()
            if on_ready is not None:
                on_ready(self)
        finally:
            await self.wait()

    async def run_until_signal(self, on_ready: Callable[[Service], None] | None = None) -> None:
        """Serve until SIGINT or SIGTERM. Only on the main thread's event loop.

        Args:
            on_ready: As for `run`.

        Raises:
            OSError: As for `run`.
            ValueError: As for `run`.
            RuntimeError: As for `run`.
        """
        with stopped_by_signals(self.stop):
            await self.run(on_ready)


async def _awaited(serving: Awaitable[None]) -> None:
    await serving


def _described(listen: Listen, address: str | None) -> str:
    where = f" on {address or listen.uds}" if listen.transport != "stdio" else ""
    tls = " with TLS" if listen.tls is not None else ""
    return f"{_WORDS[listen.transport]}{where}{tls}"


_WORDS = {
    "mcp": "MCP over HTTP",
    "grpc": "gRPC",
    "unix": "Unix socket protocol",
    "stdio": "MCP over the standard streams",
    "status": "health and metrics over HTTP",
}


def _metrics_enabled() -> bool:
    return os.environ.get("ENABLE_METRICS", "true").strip().lower() == "true"
