"""Hooks around a prompt."""

from enum import Enum
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from cpex.framework._lazy import names_from
from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginPayload, PluginResult
from cpex.framework.utils import coerce_nested

if not TYPE_CHECKING:
    __getattr__ = names_from(__name__, {"cpex.framework.protocols": ("PromptResultLike",)})


class PromptHookType(str, Enum):
    """Names of the prompt hooks."""

    PROMPT_PRE_FETCH = "prompt_pre_fetch"
    PROMPT_POST_FETCH = "prompt_post_fetch"


class PromptPrehookPayload(PluginPayload, defer_build=True):
    """A prompt about to be rendered."""

    prompt_id: str
    args: dict[str, str] | None = Field(default_factory=dict)


class PromptPosthookPayload(PluginPayload, defer_build=True):
    """A rendered prompt. A dict becomes an object with attributes."""

    prompt_id: str
    result: Any

    @field_validator("result", mode="before")
    @classmethod
    def _coerce_result(cls, value: Any) -> Any:
        return coerce_nested(value) if isinstance(value, dict) else value


PromptPrehookResult = PluginResult[PromptPrehookPayload]
PromptPosthookResult = PluginResult[PromptPosthookPayload]


def _register_prompt_hooks() -> None:
    registry = get_hook_registry()
    registry._register_builtin(PromptHookType.PROMPT_PRE_FETCH, PromptPrehookPayload, PromptPrehookResult)
    registry._register_builtin(PromptHookType.PROMPT_POST_FETCH, PromptPosthookPayload, PromptPosthookResult)


_register_prompt_hooks()
