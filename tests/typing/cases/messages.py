"""A plugin for messages in the common format."""

from typing import reveal_type

from cpex.framework import Extensions, Message, MessagePayload, MessageView, Plugin, PluginContext, PluginResult, hook
from cpex.framework.cmf.message import ImageContentPart, Role, TextContent, ToolCallContentPart
from cpex.framework.cmf.view import ViewKind, iter_views
from cpex.framework.hooks.message import MessageResult


class Reader(Plugin):
    @hook(["cmf.llm_input", "cmf.llm_output"])
    async def read(
        self, payload: MessagePayload, context: PluginContext, extensions: Extensions | None
    ) -> MessageResult:
        reveal_type(payload.message)  # Message
        for view in payload.message.iter_views("cmf.llm_input", extensions):
            reveal_type(view)  # MessageView
            reveal_type(view.kind is ViewKind.TOOL_CALL)  # bool
            reveal_type(view.text)  # str | None
            reveal_type(view.args)  # dict[str, Any] | None
            reveal_type(view.roles)  # frozenset[str]
            reveal_type(view.headers)  # Mapping[str, str]
            reveal_type(view.subject)  # SubjectExtension | None
            reveal_type(view.object)  # ObjectSecurityProfile | None
            reveal_type(view.to_opa_input())  # dict[str, Any]
        return PluginResult(modified_payload=payload.model_copy(update={"message": Message(role=Role.USER)}))


def parts(message: Message) -> None:
    first: MessageView = next(iter_views(message))
    reveal_type(first.name)  # str | None
    for part in message.content:
        if isinstance(part, TextContent):
            reveal_type(part.text)  # str
        elif isinstance(part, ToolCallContentPart):
            reveal_type(part.content.arguments)  # dict[str, Any]
        elif isinstance(part, ImageContentPart):
            reveal_type(part.content.media_type)  # str | None
