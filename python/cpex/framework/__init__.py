"""CPEX: hooks, plugins and policies for AI systems."""

from __future__ import annotations

import importlib
from typing import Any

from cpex.framework.base import Plugin
from cpex.framework.decorator import hook
from cpex.framework.errors import DenialExecutionRecord, DenialOutcome, PluginError, PluginViolationError
from cpex.framework.hooks.agents import (
    AgentHookType,
    AgentPostInvokePayload,
    AgentPostInvokeResult,
    AgentPreInvokePayload,
    AgentPreInvokeResult,
)
from cpex.framework.hooks.http import (
    HttpAuthCheckPermissionPayload,
    HttpAuthCheckPermissionResult,
    HttpAuthCheckPermissionResultPayload,
    HttpAuthResolveUserPayload,
    HttpAuthResolveUserResult,
    HttpHeaderPayload,
    HttpHookType,
    HttpPostRequestPayload,
    HttpPostRequestResult,
    HttpPreRequestPayload,
    HttpPreRequestResult,
)
from cpex.framework.hooks.policies import HookPayloadPolicy
from cpex.framework.hooks.prompts import (
    PromptHookType,
    PromptPosthookPayload,
    PromptPosthookResult,
    PromptPrehookPayload,
    PromptPrehookResult,
)
from cpex.framework.hooks.registry import HookRegistry, get_hook_registry
from cpex.framework.hooks.resources import (
    ResourceHookType,
    ResourcePostFetchPayload,
    ResourcePostFetchResult,
    ResourcePreFetchPayload,
    ResourcePreFetchResult,
)
from cpex.framework.hooks.tools import (
    ToolHookType,
    ToolPostInvokePayload,
    ToolPostInvokeResult,
    ToolPreInvokePayload,
    ToolPreInvokeResult,
)
from cpex.framework.loader.config import ConfigLoader
from cpex.framework.loader.plugin import PluginLoader
from cpex.framework.manager import PluginManager, TenantPluginManager
from cpex.framework.models import (
    ControlExecutionRecord,
    ControlExecutionStatus,
    GlobalContext,
    MCPClientConfig,
    MCPServerConfig,
    OnError,
    PluginCondition,
    PluginConfig,
    PluginContext,
    PluginContextTable,
    PluginErrorModel,
    PluginMode,
    PluginPayload,
    PluginResult,
    PluginViolation,
    TransportType,
    UserContext,
)
from cpex.framework.observability import ObservabilityProvider
from cpex.framework.utils import get_attr

__all__ = [
    "AgentHookType",
    "AgentPostInvokePayload",
    "AgentPostInvokeResult",
    "AgentPreInvokePayload",
    "AgentPreInvokeResult",
    "ConfigLoader",
    "ControlExecutionRecord",
    "ControlExecutionStatus",
    "DenialExecutionRecord",
    "DenialOutcome",
    "ExternalPluginServer",
    "GlobalContext",
    "HookRegistry",
    "HttpAuthCheckPermissionPayload",
    "HttpAuthCheckPermissionResult",
    "HttpAuthCheckPermissionResultPayload",
    "HttpAuthResolveUserPayload",
    "HttpAuthResolveUserResult",
    "HttpHeaderPayload",
    "HttpHookType",
    "HttpPostRequestPayload",
    "HttpPostRequestResult",
    "HttpPreRequestPayload",
    "HttpPreRequestResult",
    "MCPClientConfig",
    "MCPServerConfig",
    "ObservabilityProvider",
    "OnError",
    "Plugin",
    "PluginCondition",
    "PluginConfig",
    "PluginContext",
    "PluginContextTable",
    "PluginError",
    "PluginErrorModel",
    "PluginLoader",
    "PluginManager",
    "PluginMode",
    "PluginPayload",
    "PluginResult",
    "PluginViolation",
    "PluginViolationError",
    "PromptHookType",
    "PromptPosthookPayload",
    "PromptPosthookResult",
    "PromptPrehookPayload",
    "PromptPrehookResult",
    "ResourceHookType",
    "ResourcePostFetchPayload",
    "ResourcePostFetchResult",
    "ResourcePreFetchPayload",
    "ResourcePreFetchResult",
    "TenantPluginManager",
    "ToolHookType",
    "ToolPostInvokePayload",
    "ToolPostInvokeResult",
    "ToolPreInvokePayload",
    "ToolPreInvokeResult",
    "TransportType",
    "UserContext",
    "get_attr",
    "get_hook_registry",
    "get_plugin_manager",
    "hook",
]

_plugin_manager: PluginManager | None = None

_LAZY = {
    "ExternalPluginServer": "external.mcp.server.server",
    "AttenuationConfig": "hooks.identity",
    "DelegationPayload": "hooks.identity",
    "DelegationResult": "hooks.identity",
    "IdentityHookType": "hooks.identity",
    "IdentityPayload": "hooks.identity",
    "IdentityResolveResult": "hooks.identity",
    "IdentityResult": "hooks.identity",
    "TokenDelegateResult": "hooks.identity",
    "CmfHookType": "hooks.message",
    "MessageHookType": "hooks.message",
    "MessagePayload": "hooks.message",
    "MessageResult": "hooks.message",
    "Message": "cmf.message",
    "ContentPart": "cmf.message",
    "ContentType": "cmf.message",
    "Role": "cmf.message",
    "TextContent": "cmf.message",
    "MessageView": "cmf.view",
    "ViewAction": "cmf.view",
    "ViewKind": "cmf.view",
    "iter_views": "cmf.view",
    "Extensions": "extensions.extensions",
}
"""Names whose modules are imported at first use, so that importing this package stays cheap."""


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        if name in __all__:
            return _placeholder(name, error)
        raise AttributeError(f"{__name__}.{name} needs the module {error.name!r}, which is not installed") from error
    globals()[name] = value
    return value


def _placeholder(name: str, error: ModuleNotFoundError) -> type:
    """Make a class that can be imported and named, and says at construction what is missing."""

    def refuse(self: object, *args: object, **kwargs: object) -> None:
        raise ImportError(f"{__name__}.{name} needs the module {error.name!r}, which is not installed", name=error.name)

    return type(name, (), {"__init__": refuse, "__module__": __name__})


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


def get_plugin_manager(
    observability: ObservabilityProvider | None = None,
    hook_policies: dict[str, HookPayloadPolicy] | None = None,
) -> PluginManager | None:
    """Get the process's plugin manager, made from the `PLUGINS_*` settings at the first call. It is not initialized.

    Args:
        observability: Receives the spans. Only the call that makes the manager reads it.
        hook_policies: Which fields plugins may write, per hook. Only the call that makes the manager reads it.

    Returns:
        The manager, or None while plugins are disabled (`PLUGINS_ENABLED`).
    """
    global _plugin_manager
    if _plugin_manager is None:
        from cpex.framework.settings import settings

        if not settings.enabled:
            return None
        _plugin_manager = PluginManager(
            settings.config_file,
            timeout=settings.plugin_timeout,
            observability=observability,
            hook_policies=hook_policies,
        )
    return _plugin_manager
