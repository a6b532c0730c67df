"""An application: it gets a manager, invokes hooks and reads what came of it."""

from typing import reveal_type

from cpex.framework import (
    Extensions,
    GlobalContext,
    HookPayloadPolicy,
    PluginConfig,
    PluginManager,
    PluginMode,
    PluginViolationError,
    TenantPluginManager,
    ToolHookType,
    ToolPreInvokePayload,
    UserContext,
    get_hook_registry,
    get_plugin_manager,
)
from cpex.framework.models import Config

POLICIES = {"tool_pre_invoke": HookPayloadPolicy(writable_fields=frozenset({"args"}))}


async def shared() -> None:
    manager = get_plugin_manager(hook_policies=POLICIES)
    reveal_type(manager)  # PluginManager | None
    if manager is None:
        return
    await manager.initialize()
    reveal_type(manager.initialized)  # bool
    context = GlobalContext(request_id="1", user="u", tenant_id="t", server_id=None)
    reveal_type(context.user)  # str | dict[str, Any] | None
    payload = ToolPreInvokePayload(name="search", args={"q": 1})
    name = ToolHookType.TOOL_PRE_INVOKE
    result, contexts = await manager.invoke_hook(name, payload, context, extensions=Extensions())
    reveal_type(result)  # PluginResult[Any]
    reveal_type(contexts)  # dict[str, PluginContext] | None
    reveal_type(result.continue_processing)  # bool
    if result.violation is not None:
        reveal_type(result.violation.code)  # str
    again, _ = await manager.invoke_hook("tool_post_invoke", payload, context, local_contexts=contexts)
    reveal_type(again.modified_payload)  # Any | None
    await manager.shutdown()


async def tenants() -> None:
    plugin = PluginConfig(name="guard", kind="app.Guard", hooks=["tool_pre_invoke"], mode=PluginMode.SEQUENTIAL)
    config = Config(plugins=[plugin])
    manager = TenantPluginManager(config, timeout=2.5, hook_policies=POLICIES, default_hook_policy="deny")
    reveal_type(manager)  # TenantPluginManager
    reveal_type(manager.config)  # Config | None
    reveal_type(manager.plugin_count)  # int
    reveal_type(manager.has_hooks_for("tool_pre_invoke"))  # bool
    await manager.initialize()
    try:
        payload = ToolPreInvokePayload(name="search")
        context = GlobalContext(request_id="1")
        await manager.invoke_hook("tool_pre_invoke", payload, context, violations_as_exceptions=True)
    except PluginViolationError as error:
        reveal_type(error.violation)  # PluginViolation | None


def read() -> None:
    reveal_type(PluginManager("plugins.yaml"))  # PluginManager
    reveal_type(UserContext(user_id="u").user_id)  # str
    reveal_type(get_hook_registry().get_registered_hooks())  # list[str]
    reveal_type(get_hook_registry().get_payload_type("tool_pre_invoke"))  # type[PluginPayload] | None
