"""Models as protobuf messages, and back. Needs the package `protobuf`, as those do who use it.

Whole numbers up to 2^53 come back as `int`, though the messages carry doubles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cpex.framework.errors import sanitize_denial_metadata
from cpex.framework.external.grpc.proto import generated
from cpex.framework.models import GlobalContext, PluginContext, PluginResult, PluginViolation
from cpex.framework.models import GlobalContext as PydanticGlobalContext
from cpex.framework.models import PluginContext as PydanticPluginContext
from cpex.framework.models import PluginViolation as PydanticPluginViolation

__all__ = [
    "PydanticGlobalContext",
    "PydanticPluginContext",
    "PydanticPluginViolation",
    "denial_metadata_from_proto",
    "denial_metadata_to_proto",
    "populate_proto_result",
    "proto_context_to_dict",
    "proto_context_to_pydantic",
    "proto_global_context_to_pydantic",
    "proto_result_to_dict",
    "proto_violation_to_pydantic",
    "pydantic_context_to_proto",
    "pydantic_global_context_to_proto",
    "pydantic_result_to_proto_base",
    "pydantic_violation_to_proto",
    "update_pydantic_context_from_proto",
    "update_pydantic_result_from_proto_base",
]

_EXACT = 2**53

plugin_service_pb2: Any = generated("plugin_service_pb2")


def plain(struct: Any) -> dict[str, Any]:
    """Read a `Struct`.

    Args:
        struct: The message.

    Returns:
        What it holds.
    """
    return {key: _plain_value(value) for key, value in struct.fields.items()}


def _plain_value(value: Any) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _EXACT else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return plain(value.struct_value)
        case "list_value":
            return [_plain_value(item) for item in value.list_value.values]
    return None


def fill(struct: Any, values: Mapping[str, Any] | None) -> None:
    """Write a `Struct`.

    Args:
        struct: The message.
        values: What it is to hold.

    Raises:
        google.protobuf.json_format.ParseError: If a value is not of JSON.
    """
    from google.protobuf.json_format import ParseDict

    if values:
        ParseDict(dict(values), struct)


def pydantic_global_context_to_proto(ctx: GlobalContext) -> Any:
    """Write a request's context; `user_context` and `content_type` have no field.

    Args:
        ctx: The context.

    Returns:
        A `GlobalContext` message.
    """
    message = plugin_service_pb2.GlobalContext(
        request_id=ctx.request_id, server_id=ctx.server_id or "", tenant_id=ctx.tenant_id or ""
    )
    if isinstance(ctx.user, str):
        message.user_string = ctx.user
    elif ctx.user is not None:
        message.user_struct.SetInParent()
        fill(message.user_struct, ctx.user)
    fill(message.metadata, ctx.metadata)
    fill(message.state, ctx.state)
    return message


def proto_global_context_to_pydantic(proto_ctx: Any) -> GlobalContext:
    """Read a request's context.

    Args:
        proto_ctx: A `GlobalContext` message.

    Returns:
        The context.
    """
    return GlobalContext(**_global_context(proto_ctx))


def _global_context(message: Any) -> dict[str, Any]:
    user: str | dict[str, Any] | None = None
    match message.WhichOneof("user_value"):
        case "user_string":
            user = message.user_string
        case "user_struct":
            user = plain(message.user_struct)
    return {
        "request_id": message.request_id,
        "server_id": message.server_id or None,
        "tenant_id": message.tenant_id or None,
        "user": user,
        "metadata": plain(message.metadata),
        "state": plain(message.state),
    }


def pydantic_context_to_proto(ctx: PluginContext) -> Any:
    """Write a plugin's context.

    Args:
        ctx: The context.

    Returns:
        A `PluginContext` message.
    """
    message = plugin_service_pb2.PluginContext(global_context=pydantic_global_context_to_proto(ctx.global_context))
    fill(message.state, ctx.state)
    fill(message.metadata, ctx.metadata)
    return message


def proto_context_to_pydantic(proto_ctx: Any) -> PluginContext:
    """Read a plugin's context.

    Args:
        proto_ctx: A `PluginContext` message.

    Returns:
        The context.
    """
    return PluginContext(**proto_context_to_dict(proto_ctx))


def proto_context_to_dict(proto_ctx: Any) -> dict[str, Any]:
    """Read a plugin's context as a mapping.

    Args:
        proto_ctx: A `PluginContext` message.

    Returns:
        The mapping.
    """
    return {
        "global_context": _global_context(proto_ctx.global_context),
        "state": plain(proto_ctx.state),
        "metadata": plain(proto_ctx.metadata),
    }


def update_pydantic_context_from_proto(ctx: PluginContext, proto_ctx: Any) -> None:
    """Take over what a plugin left in its context: state, metadata, and the request's state if there is any.

    Args:
        ctx: The context to change.
        proto_ctx: A `PluginContext` message.
    """
    ctx.state = plain(proto_ctx.state)
    ctx.metadata = plain(proto_ctx.metadata)
    if proto_ctx.global_context.state.fields:
        ctx.global_context.state = plain(proto_ctx.global_context.state)


def pydantic_violation_to_proto(violation: PluginViolation) -> Any:
    """Write a violation; what is for HTTP has no field.

    Args:
        violation: The violation.

    Returns:
        A `PluginViolation` message.
    """
    message = plugin_service_pb2.PluginViolation(
        reason=violation.reason,
        description=violation.description,
        code=violation.code,
        plugin_name=violation.plugin_name,
        mcp_error_code=violation.mcp_error_code or 0,
    )
    fill(message.details, violation.details)
    return message


def proto_violation_to_pydantic(proto_violation: Any) -> PluginViolation:
    """Read a violation.

    Args:
        proto_violation: A `PluginViolation` message.

    Returns:
        The violation.
    """
    violation = PluginViolation(
        reason=proto_violation.reason,
        description=proto_violation.description,
        code=proto_violation.code,
        details=plain(proto_violation.details),
        mcp_error_code=proto_violation.mcp_error_code or None,
    )
    if proto_violation.plugin_name.strip():
        violation.plugin_name = proto_violation.plugin_name
    return violation


def denial_metadata_to_proto(metadata: Mapping[str, Any] | None) -> Any:
    """Write denial metadata; what may not leave the process is left out.

    Args:
        metadata: What a plugin said.

    Returns:
        A `DenialMetadata` message.
    """
    message = plugin_service_pb2.DenialMetadata()
    for key, value in sanitize_denial_metadata(metadata).items():
        metric = message.fields[key]
        if isinstance(value, bool):
            metric.boolean = value
        elif isinstance(value, int):
            metric.integer = value
        else:
            metric.floating = value
    return message


def denial_metadata_from_proto(metadata: Any) -> dict[str, Any]:
    """Read denial metadata.

    Args:
        metadata: A `DenialMetadata` message.

    Returns:
        What may be told of it.
    """
    kinds = {key: metric.WhichOneof("value") for key, metric in metadata.fields.items()}
    read = {key: getattr(metadata.fields[key], kind) for key, kind in kinds.items() if kind is not None}
    return dict(sanitize_denial_metadata(read))


def pydantic_result_to_proto_base(result: PluginResult[Any]) -> Any:
    """Write the parts of a result that have fields of their own.

    Args:
        result: The result.

    Returns:
        A `PluginResultBase` message.
    """
    message = plugin_service_pb2.PluginResultBase(continue_processing=result.continue_processing)
    if result.violation is not None:
        message.violation.CopyFrom(pydantic_violation_to_proto(result.violation))
    fill(message.metadata, result.metadata)
    if result.denial_metadata is not None:
        message.denial_metadata.CopyFrom(denial_metadata_to_proto(result.denial_metadata))
    return message


def update_pydantic_result_from_proto_base(result: PluginResult[Any], proto_base: Any) -> None:
    """Take over the parts of a result that have fields of their own.

    Args:
        result: The result to change.
        proto_base: A `PluginResultBase` message.
    """
    result.continue_processing = proto_base.continue_processing
    if proto_base.HasField("violation"):
        result.violation = proto_violation_to_pydantic(proto_base.violation)
    if proto_base.HasField("metadata"):
        result.metadata = plain(proto_base.metadata)
    if proto_base.HasField("denial_metadata"):
        result.denial_metadata = denial_metadata_from_proto(proto_base.denial_metadata)


def populate_proto_result(result: dict[str, Any], response: Any) -> None:
    """Write a result into a response.

    Args:
        result: The dump of a `PluginResult`.
        response: The `InvokeHookResponse` message to change.

    Raises:
        google.protobuf.json_format.ParseError: If a value is not of JSON.
    """
    from google.protobuf.json_format import ParseDict

    rest = {key: value for key, value in result.items() if key != "denial_metadata"}
    ParseDict(rest, response.result)
    if result.get("denial_metadata") is not None:
        message = denial_metadata_to_proto(result["denial_metadata"])
        response.result_base.denial_metadata.CopyFrom(message)


def proto_result_to_dict(response: Any) -> dict[str, Any]:
    """Read the result of a response.

    Args:
        response: An `InvokeHookResponse` message.

    Returns:
        The dump of a `PluginResult`.
    """
    result = plain(response.result)
    if response.result_base.HasField("denial_metadata"):
        result["denial_metadata"] = denial_metadata_from_proto(response.result_base.denial_metadata)
    return result
