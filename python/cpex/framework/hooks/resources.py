"""Hooks around a resource."""

from enum import Enum
from typing import Any

from pydantic import Field

from cpex.framework.hooks.registry import get_hook_registry
from cpex.framework.models import PluginPayload, PluginResult


class ResourceHookType(str, Enum):
    """Names of the resource hooks."""

    RESOURCE_PRE_FETCH = "resource_pre_fetch"
    RESOURCE_POST_FETCH = "resource_post_fetch"


class ResourcePreFetchPayload(PluginPayload, defer_build=True):
    """A resource about to be read."""

    uri: str
    metadata: dict[str, Any] | None = Field(default_factory=dict)


class ResourcePostFetchPayload(PluginPayload, defer_build=True):
    """A resource that was read."""

    uri: str
    content: Any


ResourcePreFetchResult = PluginResult[ResourcePreFetchPayload]
ResourcePostFetchResult = PluginResult[ResourcePostFetchPayload]


def _register_resource_hooks() -> None:
    registry = get_hook_registry()
    registry._register_builtin(ResourceHookType.RESOURCE_PRE_FETCH, ResourcePreFetchPayload, ResourcePreFetchResult)
    registry._register_builtin(ResourceHookType.RESOURCE_POST_FETCH, ResourcePostFetchPayload, ResourcePostFetchResult)


_register_resource_hooks()
