"""Servicers for programs that run a gRPC server of `grpcio` themselves. The server of this package needs neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpex.framework._lazy import names_from
from cpex.framework.constants import CONTEXT, ERROR, RESULT
from cpex.framework.external import proto_convert
from cpex.framework.external.grpc.proto import generated
from cpex.framework.models import PluginContext, PluginErrorModel

if TYPE_CHECKING:
    from cpex.framework.external.mcp.server.server import ExternalPluginServer

__all__ = ["GrpcHealthServicer", "GrpcPluginServicer"]

if not TYPE_CHECKING:
    __getattr__ = names_from(
        __name__,
        {
            "cpex.framework.external.grpc.proto": ("plugin_service_pb2", "plugin_service_pb2_grpc"),
            "cpex.framework.external.mcp.server.server": ("ExternalPluginServer",),
            "cpex.framework.external.proto_convert": (
                "populate_proto_result",
                "proto_context_to_pydantic",
                "pydantic_context_to_proto",
            ),
        },
    )

_INTERNAL_ERROR = "INTERNAL_ERROR"

_messages: Any = proto_convert.plugin_service_pb2
_services: Any = generated("plugin_service_pb2_grpc")


class GrpcPluginServicer(_services.PluginServiceServicer):  # type: ignore[misc] # generated code has no types
    """Answers for the plugins of a server."""

    def __init__(self, plugin_server: ExternalPluginServer) -> None:
        """Answer for a server.

        Args:
            plugin_server: The server, initialized.
        """
        self._plugin_server = plugin_server

    async def GetPluginConfig(self, request: Any, context: Any) -> Any:
        """Look a plugin's configuration up.

        Args:
            request: A `GetPluginConfigRequest`.
            context: Of the call; it is ended with INTERNAL if the configuration cannot be sent.

        Returns:
            A `GetPluginConfigResponse`.
        """
        response = _messages.GetPluginConfigResponse()
        try:
            config = await self._plugin_server.get_plugin_config(request.name)
            if config is not None:
                response.found = True
                proto_convert.fill(response.config, _json_mode(config))
        except Exception as error:
            await _fail(context, error)
        return response

    async def GetPluginConfigs(self, request: Any, context: Any) -> Any:
        """List the configurations of the plugins.

        Args:
            request: A `GetPluginConfigsRequest`.
            context: Of the call; it is ended with INTERNAL if the configurations cannot be sent.

        Returns:
            A `GetPluginConfigsResponse`.
        """
        response = _messages.GetPluginConfigsResponse()
        try:
            for config in await self._plugin_server.get_plugin_configs():
                proto_convert.fill(response.configs.add(), _json_mode(config))
        except Exception as error:
            await _fail(context, error)
        return response

    async def InvokeHook(self, request: Any, context: Any) -> Any:
        """Run a hook of a plugin.

        Args:
            request: An `InvokeHookRequest`.
            context: Of the call.

        Returns:
            An `InvokeHookResponse`; whatever failed is in its `error`.
        """
        response = _messages.InvokeHookResponse(plugin_name=request.plugin_name)
        try:
            known = proto_convert.proto_context_to_pydantic(request.context)
            payload = proto_convert.plain(request.payload)
            reply = await self._plugin_server.invoke_hook(request.hook_type, request.plugin_name, payload, known)
            if RESULT in reply:
                proto_convert.populate_proto_result(reply[RESULT], response)
            if isinstance(reply.get(CONTEXT), PluginContext):
                response.context.CopyFrom(proto_convert.pydantic_context_to_proto(reply[CONTEXT]))
            if ERROR in reply:
                _write_error(response.error, PluginErrorModel.model_validate(reply[ERROR]))
        except Exception as error:
            response.Clear()
            response.plugin_name = request.plugin_name
            failed = PluginErrorModel(message=str(error), plugin_name=request.plugin_name, code=_INTERNAL_ERROR)
            _write_error(response.error, failed)
        return response


class GrpcHealthServicer(_services.HealthServicer):  # type: ignore[misc] # generated code has no types
    """Says that the server serves."""

    def __init__(self, plugin_server: ExternalPluginServer | None = None) -> None:
        """Answer for a server.

        Args:
            plugin_server: Not asked: a server that answers serves.
        """

    async def Check(self, request: Any, context: Any) -> Any:
        """Say that the server serves.

        Args:
            request: A `HealthCheckRequest`.
            context: Of the call.

        Returns:
            A `HealthCheckResponse`.
        """
        return _messages.HealthCheckResponse(status=_messages.HealthCheckResponse.SERVING)


def _json_mode(config: dict[str, Any]) -> dict[str, Any]:
    from pydantic_core import to_jsonable_python

    readable: dict[str, Any] = to_jsonable_python(config)
    return readable


def _write_error(message: Any, error: PluginErrorModel) -> None:
    message.message = error.message
    message.plugin_name = error.plugin_name
    message.code = error.code or ""
    message.mcp_error_code = error.mcp_error_code
    proto_convert.fill(message.details, error.details)


async def _fail(context: Any, error: Exception) -> None:
    import grpc

    await context.abort(grpc.StatusCode.INTERNAL, str(error))
