"""External plugins over gRPC, on TCP or a Unix socket."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar

from cpex import _core
from cpex.framework._lazy import names_from
from cpex.framework._signature import plugin_error
from cpex.framework.constants import IGNORE_CONFIG_EXTERNAL as IGNORE_CONFIG_EXTERNAL
from cpex.framework.external._client import RemotePlugin
from cpex.framework.external._options import addresses, connect_timeout, options, tls_files
from cpex.framework.models import GRPCClientTLSConfig

__all__ = ["GrpcExternalPlugin"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.base": ("Plugin",),
            "cpex.framework.errors": (
                "PluginError",
                "convert_exception_to_error",
            ),
            "cpex.framework.external.grpc.proto": ("plugin_service_pb2", "plugin_service_pb2_grpc"),
            "cpex.framework.external.grpc.tls_utils": (
                "create_insecure_channel",
                "create_secure_channel",
            ),
            "cpex.framework.external.proto_convert": (
                "proto_result_to_dict",
                "pydantic_context_to_proto",
                "update_pydantic_context_from_proto",
            ),
            "cpex.framework.hooks.registry": ("get_hook_registry",),
            "cpex.framework.models": (
                "PluginConfig",
                "PluginContext",
                "PluginErrorModel",
                "PluginPayload",
                "PluginResult",
            ),
        },
    )


logger = logging.getLogger(__name__)


class GrpcExternalPlugin(RemotePlugin):
    """A plugin on a gRPC server. The package `grpcio` is not needed."""

    _NOT_CONNECTED: ClassVar[str] = "gRPC stub not initialized"

    def _make_client(self) -> _core.ExternalClient:
        grpc = self._config.grpc
        if grpc is None:
            raise plugin_error(f"External plugin '{self.name}' has no section 'grpc'", self.name)
        tls = None if grpc.uds else grpc.tls or GRPCClientTLSConfig.from_env()
        if tls is not None and not tls.verify:
            logger.warning("Plugin '%s': the certificate of its server is not verified", self.name)
        chosen = options(grpc, connect_timeout=connect_timeout(self._config, grpc))
        files = None if tls is None else tls_files(tls)
        return _core.ExternalClient.grpc(self.name, addresses(grpc), files, chosen)
