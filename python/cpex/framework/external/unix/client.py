"""External plugins over a Unix socket: frames of a length and a protobuf message."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cpex import _core
from cpex.framework._lazy import names_from
from cpex.framework._signature import plugin_error
from cpex.framework.external._client import RemotePlugin
from cpex.framework.external._options import addresses, options

__all__ = ["UnixSocketExternalPlugin"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.base": ("Plugin",),
            "cpex.framework.errors": (
                "PluginError",
                "convert_exception_to_error",
            ),
            "cpex.framework.external.grpc.proto": ("plugin_service_pb2",),
            "cpex.framework.external.proto_convert": (
                "proto_result_to_dict",
                "pydantic_context_to_proto",
                "update_pydantic_context_from_proto",
            ),
            "cpex.framework.external.unix.protocol": (
                "read_message",
                "write_message_async",
            ),
            "cpex.framework.hooks.registry": ("get_hook_registry",),
            "cpex.framework.models": (
                "PluginConfig",
                "PluginContext",
                "PluginErrorModel",
                "PluginResult",
            ),
        },
    )


class UnixSocketExternalPlugin(RemotePlugin):
    """A plugin on a server behind a Unix socket."""

    _MUST_BE_KNOWN: ClassVar[bool] = False
    _NOT_CONNECTED: ClassVar[str] = "Unix socket client not connected"

    @property
    def connected(self) -> bool:
        """Whether the server has been reached; a connection that is lost is made again at the next call."""
        return self._client is not None

    def _make_client(self) -> _core.ExternalClient:
        unix = self._config.unix_socket
        if unix is None:
            raise plugin_error(f"External plugin '{self.name}' has no section 'unix_socket'", self.name)
        return _core.ExternalClient.unix(self.name, addresses(unix), options(unix))
