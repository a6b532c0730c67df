"""Plugins that run in another process, `kind: external`: over MCP, gRPC or a Unix socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpex.framework._lazy import names_from

if TYPE_CHECKING:
    from cpex.framework.external._server.listen import ServeOptions as ServeOptions
    from cpex.framework.external._server.listen import Tls as Tls
    from cpex.framework.external._status import ServerStatus as ServerStatus
    from cpex.framework.external._status import metrics as metrics
    from cpex.framework.external.grpc.client import GrpcExternalPlugin
    from cpex.framework.external.mcp.client import ExternalHookRef, ExternalPlugin
else:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.external._server.listen": ("ServeOptions", "Tls"),
            "cpex.framework.external._status": ("ServerStatus", "metrics"),
            "cpex.framework.external.grpc.client": ("GrpcExternalPlugin",),
            "cpex.framework.external.mcp.client": ("ExternalHookRef", "ExternalPlugin"),
        },
    )

__all__ = ["ExternalHookRef", "ExternalPlugin", "GrpcExternalPlugin"]
