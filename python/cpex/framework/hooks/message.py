"""Hooks around a message in the common format."""

from enum import Enum

from cpex.framework.cmf.message import Message
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginPayload, PluginResult


class MessageHookType(str, Enum):
    """Where in the conversation a message is evaluated."""

    EVALUATE = "evaluate"
    LLM_INPUT = "llm_input"
    LLM_OUTPUT = "llm_output"
    TOOL_PRE_INVOKE = "tool_pre_invoke"
    TOOL_POST_INVOKE = "tool_post_invoke"
    PROMPT_PRE_FETCH = "prompt_pre_fetch"
    PROMPT_POST_FETCH = "prompt_post_fetch"
    RESOURCE_PRE_FETCH = "resource_pre_fetch"
    RESOURCE_POST_FETCH = "resource_post_fetch"


class CmfHookType(str, Enum):
    """Names of the message hooks."""

    TOOL_PRE_INVOKE = "cmf.tool_pre_invoke"
    TOOL_POST_INVOKE = "cmf.tool_post_invoke"
    LLM_INPUT = "cmf.llm_input"
    LLM_OUTPUT = "cmf.llm_output"
    RESOURCE_PRE_FETCH = "cmf.resource_pre_fetch"
    RESOURCE_POST_FETCH = "cmf.resource_post_fetch"
    PROMPT_PRE_FETCH = "cmf.prompt_pre_fetch"
    PROMPT_POST_FETCH = "cmf.prompt_post_fetch"


class MessagePayload(PluginPayload, defer_build=True):
    """A message, and where it is evaluated."""

    message: Message
    hook: MessageHookType = MessageHookType.EVALUATE


MessageResult = PluginResult[MessagePayload]


def _register_message_hooks() -> None:
    registry = get_hook_registry()
    for hook_type in (MessageHookType.EVALUATE, *CmfHookType):
        registry.register_hook(hook_type, MessagePayload, MessageResult)


_register_message_hooks()
