"""The server of plugins on a Unix socket."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from cpex.framework._lazy import names_from
from cpex.framework.external._server.listen import Listen
from cpex.framework.external._server.service import Service
from cpex.framework.external.mcp.server.server import ExternalPluginServer

__all__ = ["UnixSocketPluginServer", "run_server"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.external.grpc.proto": ("plugin_service_pb2",),
            "cpex.framework.external.proto_convert": (
                "populate_proto_result",
                "proto_context_to_pydantic",
                "pydantic_context_to_proto",
            ),
            "cpex.framework.external.unix.protocol": ("ProtocolError", "read_message", "write_message_async"),
            "cpex.framework.models": ("PluginContext",),
        },
    )

_DEFAULT_PATH = os.path.join(tempfile.gettempdir(), "mcpgateway-plugins.sock")


class UnixSocketPluginServer:
    """Serves the plugins of a configuration file on a Unix socket."""

    def __init__(self, config_path: str, socket_path: str = _DEFAULT_PATH) -> None:
        """Prepare to serve.

        Args:
            config_path: The file.
            socket_path: The socket. Only this user can connect to it.
        """
        self._config_path = config_path
        self._socket_path = socket_path
        self._service: Service | None = None

    @property
    def running(self) -> bool:
        """Whether calls are taken."""
        return self._service is not None and self._service.running

    @property
    def socket_path(self) -> str:
        """The socket."""
        return self._socket_path

    async def start(self) -> None:
        """Begin to serve.

        Raises:
            OSError: If it cannot listen there.
            RuntimeError: If it serves already, or a plugin cannot be loaded that must not be missing.
        """
        if self._service is not None:
            raise RuntimeError(f"the server on {self._socket_path} is running already")
        server = ExternalPluginServer(self._config_path)
        self._service = Service(server, [Listen(transport="unix", uds=self._socket_path)])
        try:
            await self._service.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop, once the calls under way have ended, and remove the socket."""
        service, self._service = self._service, None
        if service is not None:
            service.stop()
            await service.wait()

    async def serve_forever(self) -> None:
        """Serve until `stop` is called; starts the server if that has not been done.

        Raises:
            OSError: If it cannot listen there.
            RuntimeError: If a plugin cannot be loaded that must not be missing.
        """
        if self._service is None:
            await self.start()
        if self._service is not None:
            await self._service.stopped()


async def run_server(config_path: str, socket_path: str = _DEFAULT_PATH) -> None:
    """Serve on a Unix socket until SIGINT or SIGTERM. Prints `READY` on standard output once calls are taken.

    Args:
        config_path: The file.
        socket_path: The socket.

    Raises:
        OSError: If it cannot listen there.
        RuntimeError: If a plugin cannot be loaded that must not be missing.
    """
    service = Service(ExternalPluginServer(config_path), [Listen(transport="unix", uds=socket_path)])
    await service.run_until_signal(lambda _: print("READY", flush=True))
