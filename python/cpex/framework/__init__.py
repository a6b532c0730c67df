"""CPEX: hooks, plugins and policies for AI systems.

Importing this package imports no other module of it: each name and each submodule is imported at its first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cpex.framework._lazy import submodules

if TYPE_CHECKING:
    from cpex.framework.base import Plugin
    from cpex.framework.cmf.message import ContentPart as ContentPart
    from cpex.framework.cmf.message import ContentType as ContentType
    from cpex.framework.cmf.message import Message as Message
    from cpex.framework.cmf.message import Role as Role
    from cpex.framework.cmf.message import TextContent as TextContent
    from cpex.framework.cmf.view import MessageView as MessageView
    from cpex.framework.decorator import hook
    from cpex.framework.errors import DenialExecutionRecord, DenialOutcome, PluginError, PluginViolationError
    from cpex.framework.extensions.extensions import Extensions as Extensions
    from cpex.framework.external.mcp.server.server import ExternalPluginServer
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
    from cpex.framework.hooks.identity import AttenuationConfig as AttenuationConfig
    from cpex.framework.hooks.identity import DelegationPayload as DelegationPayload
    from cpex.framework.hooks.identity import DelegationResult as DelegationResult
    from cpex.framework.hooks.identity import IdentityHookType as IdentityHookType
    from cpex.framework.hooks.identity import IdentityPayload as IdentityPayload
    from cpex.framework.hooks.identity import IdentityResolveResult as IdentityResolveResult
    from cpex.framework.hooks.identity import IdentityResult as IdentityResult
    from cpex.framework.hooks.identity import TokenDelegateResult as TokenDelegateResult
    from cpex.framework.hooks.message import CmfHookType as CmfHookType
    from cpex.framework.hooks.message import MessageHookType as MessageHookType
    from cpex.framework.hooks.message import MessagePayload as MessagePayload
    from cpex.framework.hooks.message import MessageResult as MessageResult
    from cpex.framework.hooks.policies import HookPayloadPolicy as HookPayloadPolicy
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

_HOMES = {
    "base": ("Plugin",),
    "cmf.message": (
        "ContentPart",
        "ContentType",
        "Message",
        "Role",
        "TextContent",
    ),
    "cmf.view": ("MessageView",),
    "decorator": ("hook",),
    "errors": (
        "DenialExecutionRecord",
        "DenialOutcome",
        "PluginError",
        "PluginViolationError",
    ),
    "extensions.extensions": ("Extensions",),
    "external.mcp.server.server": ("ExternalPluginServer",),
    "hooks.agents": (
        "AgentHookType",
        "AgentPostInvokePayload",
        "AgentPostInvokeResult",
        "AgentPreInvokePayload",
        "AgentPreInvokeResult",
    ),
    "hooks.http": (
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
    ),
    "hooks.identity": (
        "AttenuationConfig",
        "DelegationPayload",
        "DelegationResult",
        "IdentityHookType",
        "IdentityPayload",
        "IdentityResolveResult",
        "IdentityResult",
        "TokenDelegateResult",
    ),
    "hooks.message": (
        "CmfHookType",
        "MessageHookType",
        "MessagePayload",
        "MessageResult",
    ),
    "hooks.policies": ("HookPayloadPolicy",),
    "hooks.prompts": (
        "PromptHookType",
        "PromptPosthookPayload",
        "PromptPosthookResult",
        "PromptPrehookPayload",
        "PromptPrehookResult",
    ),
    "hooks.registry": (
        "HookRegistry",
        "get_hook_registry",
    ),
    "hooks.resources": (
        "ResourceHookType",
        "ResourcePostFetchPayload",
        "ResourcePostFetchResult",
        "ResourcePreFetchPayload",
        "ResourcePreFetchResult",
    ),
    "hooks.tools": (
        "ToolHookType",
        "ToolPostInvokePayload",
        "ToolPostInvokeResult",
        "ToolPreInvokePayload",
        "ToolPreInvokeResult",
    ),
    "loader.config": ("ConfigLoader",),
    "loader.plugin": ("PluginLoader",),
    "manager": (
        "PluginManager",
        "TenantPluginManager",
    ),
    "models": (
        "ControlExecutionRecord",
        "ControlExecutionStatus",
        "GlobalContext",
        "MCPClientConfig",
        "MCPServerConfig",
        "OnError",
        "PluginCondition",
        "PluginConfig",
        "PluginContext",
        "PluginContextTable",
        "PluginErrorModel",
        "PluginMode",
        "PluginPayload",
        "PluginResult",
        "PluginViolation",
        "TransportType",
        "UserContext",
    ),
    "observability": ("ObservabilityProvider",),
    "utils": ("get_attr",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
_SUBMODULES = (
    "base",
    "cmf",
    "constants",
    "decorator",
    "errors",
    "extensions",
    "external",
    "hooks",
    "loader",
    "manager",
    "memory",
    "models",
    "observability",
    "protocols",
    "registry",
    "settings",
    "utils",
    "validators",
)

_plugin_manager: PluginManager | None = None

_import_submodule = submodules(__name__, _SUBMODULES)


def _resolve(name: str) -> Any:
    """Import what an attribute of this package stands for."""
    home = _HOME_OF.get(name)
    if home is None:
        return _import_submodule(name)
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


if not TYPE_CHECKING:
    # Hidden from type checkers, for which every unknown name would otherwise be an Any.
    __getattr__ = _resolve


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF, *_SUBMODULES})


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
        # Asked of this module as everybody asks, so that a replaced `PluginManager` counts.
        from cpex.framework import PluginManager
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
