"""The gRPC plugin server as a program: `python -m cpex.framework.external.grpc.server.runtime`."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from cpex.framework._lazy import names_from
from cpex.framework.external._server.listen import Listen, over_grpc
from cpex.framework.external._server.program import level_of, log_to_stderr, run_program
from cpex.framework.external._server.service import Service
from cpex.framework.external._server.signals import stopped_by_signals
from cpex.framework.external.mcp.server.server import ExternalPluginServer
from cpex.framework.models import GRPCServerConfig
from cpex.framework.settings import settings

__all__ = ["GrpcPluginRuntime", "main", "run_server"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.external.grpc.proto": ("plugin_service_pb2_grpc",),
            "cpex.framework.external.grpc.server": ("GrpcHealthServicer", "GrpcPluginServicer"),
            "cpex.framework.external.grpc.tls_utils": ("create_server_credentials",),
            "cpex.framework.settings": ("get_settings",),
        },
    )

logger = logging.getLogger(__name__)


class GrpcPluginRuntime:
    """Serves the plugins of a configuration file over gRPC."""

    def __init__(self, config_path: str | None = None, host: str | None = None, port: int | None = None) -> None:
        """Prepare to serve.

        Args:
            config_path: The file; None: `PLUGINS_CONFIG_PATH`, else `./resources/plugins/config.yaml`.
            host: Address to listen on; None: as the file or the environment says. A Unix socket named there wins.
            port: Port to listen on, likewise.
        """
        self._config_path = config_path
        self._host = host
        self._port = port
        self._service: Service | None = None
        self._stop_requested = False

    async def start(self) -> None:
        """Serve until told to stop.

        Raises:
            OSError: If it cannot listen there.
            ValueError: If TLS cannot be set up.
            RuntimeError: If a plugin cannot be loaded that must not be missing.
        """
        server = ExternalPluginServer(self._config_path)
        service = Service(server, [self._listen(server)])
        if self._stop_requested:
            return
        self._service = service
        await service.run()

    def request_shutdown(self) -> None:
        """Have `start` end once the calls under way have."""
        self._stop_requested = True
        if self._service is not None:
            self._service.stop()

    async def stop(self) -> None:
        """Stop, and wait until it has."""
        self.request_shutdown()
        if self._service is not None:
            await self._service.stopped()

    def _listen(self, server: ExternalPluginServer) -> Listen:
        config = server.get_grpc_server_config() or GRPCServerConfig.from_env() or GRPCServerConfig()
        listen = over_grpc(config)
        if listen.uds is None:
            listen = replace(listen, host=self._host or listen.host, port=self._port or listen.port)
            if listen.tls is None:
                logger.warning("serving without TLS on %s:%s", listen.host, listen.port)
        # An address of others is named on purpose: servers of 0.1.x take that for a wish to be reached.
        return replace(listen, insecure=True)


async def run_server(config_path: str | None = None, host: str | None = None, port: int | None = None) -> None:
    """Serve over gRPC until SIGINT or SIGTERM.

    Args:
        config_path: As for `GrpcPluginRuntime`.
        host: As for `GrpcPluginRuntime`.
        port: As for `GrpcPluginRuntime`.

    Raises:
        OSError: If it cannot listen there.
        ValueError: If TLS cannot be set up.
        RuntimeError: If a plugin cannot be loaded that must not be missing.
    """
    runtime = GrpcPluginRuntime(config_path, host, port)
    with stopped_by_signals(runtime.request_shutdown):
        await runtime.start()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="Serve CPEX plugins over gRPC.")
    parser.add_argument("-c", "--config", metavar="FILE", help="the plugin config (PLUGINS_CONFIG_PATH)")
    parser.add_argument("-H", "--host", help="address to listen on")
    parser.add_argument("-p", "--port", type=int, help="port to listen on")
    parser.add_argument("-l", "--log-level", metavar="LEVEL", help="least level of log records that are shown")
    arguments = parser.parse_args()
    log_to_stderr(level_of(arguments.log_level or settings.log_level))
    run_program(run_server(arguments.config, arguments.host, arguments.port))


if __name__ == "__main__":
    main()
