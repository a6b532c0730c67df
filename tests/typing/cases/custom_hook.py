"""A hook of one's own: payload, result, registration, and a plugin that answers it."""

from typing import reveal_type

from cpex.framework import Plugin, PluginContext, PluginPayload, PluginResult, get_hook_registry, hook


class MailPayload(PluginPayload):
    recipient: str
    subject: str = ""


MailResult = PluginResult[MailPayload]


class Postman(Plugin):
    @hook("before_mail", MailPayload, MailResult)
    async def check(self, payload: MailPayload, context: PluginContext) -> MailResult:
        reveal_type(payload.recipient)  # str
        return MailResult(modified_payload=payload.model_copy(update={"subject": "!"}))

    @hook(["after_mail", "mail_bounced"], payload_type=MailPayload, result_type=MailResult)
    async def note(self, payload: MailPayload, context: PluginContext) -> PluginResult[MailPayload]:
        result = await self.check(payload, context)
        reveal_type(result)  # PluginResult[MailPayload]
        reveal_type(result.modified_payload)  # MailPayload | None
        return result


def register() -> None:
    get_hook_registry().register_hook("before_mail", MailPayload, MailResult)
    reveal_type(MailPayload(recipient="a@b.c").subject)  # str
