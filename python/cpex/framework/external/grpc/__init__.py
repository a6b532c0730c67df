"""External plugins over gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpex.framework._lazy import names_from

if TYPE_CHECKING:
    from cpex.framework.external.grpc.client import GrpcExternalPlugin
    from cpex.framework.external.grpc.server.server import GrpcHealthServicer, GrpcPluginServicer
    from cpex.framework.external.grpc.tls_utils import create_client_credentials, create_server_credentials
else:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.external.grpc.client": ("GrpcExternalPlugin",),
            "cpex.framework.external.grpc.server.server": ("GrpcHealthServicer", "GrpcPluginServicer"),
            "cpex.framework.external.grpc.tls_utils": ("create_client_credentials", "create_server_credentials"),
        },
    )

__all__ = [
    "GrpcExternalPlugin",
    "GrpcHealthServicer",
    "GrpcPluginServicer",
    "create_client_credentials",
    "create_server_credentials",
]
