"""Serving plugins over gRPC."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cpex.framework.external.grpc.server.server import GrpcHealthServicer as GrpcHealthServicer
    from cpex.framework.external.grpc.server.server import GrpcPluginServicer as GrpcPluginServicer

__all__ = ["GrpcHealthServicer", "GrpcPluginServicer"]


def __getattr__(name: str) -> Any:
    # They need grpcio, which serving does not.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cpex.framework.external.grpc.server import server

    return getattr(server, name)
