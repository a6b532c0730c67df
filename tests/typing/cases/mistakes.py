"""Wrong calls. Each line says which error it expects; an error that is not reported leaves its comment unused."""

import cpex.framework
from cpex.framework import (
    GlobalContext,
    HookPayloadPolicy,
    MessageView,
    PluginManager,
    PluginResult,
    TenantPluginManager,
    ToolPostInvokePayload,
    ToolPreInvokePayload,
    ToolPreInvokeResult,
    get_plugin_manager,
    hook,
)


async def host(manager: PluginManager, payload: ToolPreInvokePayload, context: GlobalContext) -> None:
    await manager.invoke_hook("tool_pre_invoke", payload)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await manager.invoke_hook("tool_pre_invoke", {"name": "t"}, context)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    manager.invoke_hooks("tool_pre_invoke")  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    result, _ = await manager.invoke_hook("tool_pre_invoke", payload, context)
    print(result.violation.code)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    TenantPluginManager()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    TenantPluginManager("c.yaml", default_hook_policy="maybe")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def payloads() -> None:
    ToolPreInvokePayload()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ToolPreInvokePayload(name=5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    HookPayloadPolicy(writable_fields="args")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(get_plugin_manager().plugin_count)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]


def results(payload: ToolPostInvokePayload) -> PluginResult[ToolPreInvokePayload]:
    ToolPreInvokeResult(modified_payload=payload)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return PluginResult[ToolPostInvokePayload]()  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


def views(view: MessageView) -> None:
    view.role = "user"  # type: ignore[misc, assignment]  # pyright: ignore[reportAttributeAccessIssue]
    view.matches_uri_pattern(None)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


cpex.framework.Mesage()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
hook("x", int)  # type: ignore[type-var]  # pyright: ignore[reportArgumentType]
hook(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
