"""A plugin as a user writes it: hooks by name, by decorator, and one that reads the request's extensions."""

from typing import reveal_type

from cpex.framework import (
    Extensions,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginResult,
    PluginViolation,
    PromptPrehookPayload,
    PromptPrehookResult,
    ToolPostInvokePayload,
    ToolPostInvokeResult,
    ToolPreInvokePayload,
    ToolPreInvokeResult,
    get_attr,
    hook,
)


class Guard(Plugin):
    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        reveal_type(config.config)  # dict[str, Any] | None
        reveal_type(self.priority)  # int
        self.allowed: list[str] = (self.config.config or {}).get("tools", [])

    async def initialize(self) -> None:
        await super().initialize()

    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> ToolPreInvokeResult:
        reveal_type(payload.args)  # dict[str, Any] | None
        reveal_type(context.global_context.request_id)  # str
        reveal_type(context.state)  # dict[str, Any]
        if payload.name not in self.allowed:
            denial = PluginViolation(reason="not on the list", code="TOOL_DENIED")
            return PluginResult(continue_processing=False, violation=denial)
        changed = payload.model_copy(update={"args": {}})
        reveal_type(changed)  # ToolPreInvokePayload
        result = ToolPreInvokeResult(modified_payload=changed, metadata={"seen": True})
        reveal_type(result)  # PluginResult[ToolPreInvokePayload]
        reveal_type(result.modified_payload)  # ToolPreInvokePayload | None
        return result

    @hook("prompt_pre_fetch")
    async def look_at_prompt(self, payload: PromptPrehookPayload, context: PluginContext) -> PromptPrehookResult:
        reveal_type(payload.args)  # dict[str, str] | None
        return PluginResult()

    @hook(["tool_post_invoke"])
    async def look_at_result(
        self, payload: ToolPostInvokePayload, context: PluginContext, extensions: Extensions | None
    ) -> ToolPostInvokeResult:
        if extensions is not None and extensions.http is not None:
            reveal_type(extensions.http.headers)  # dict[str, str]
        reveal_type(get_attr(payload.result, "content.text"))  # Any
        return PluginResult(modified_extensions=extensions)

    @hook("mail_sent")
    async def short(self, text: str) -> int:
        return len(text)


async def decorated_methods_keep_their_types(guard: Guard, payload: PromptPrehookPayload, at: PluginContext) -> None:
    reveal_type(guard.short)  # (text: str) -> Coroutine[Any, Any, int]
    reveal_type(await guard.look_at_prompt(payload, at))  # PluginResult[PromptPrehookPayload]
