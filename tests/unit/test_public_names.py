"""What `cpex.framework` exports, and what importing it costs (B4, B35)."""

from __future__ import annotations

import subprocess
import sys

import pytest

import cpex.framework

NAMES = [
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

HEAVY = ("mcp", "grpc", "fastapi", "typer", "httpx", "pydantic_settings", "jinja2")


def test_all_is_upstreams() -> None:
    assert cpex.framework.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_resolves(name: str) -> None:
    assert hasattr(cpex.framework, name)


def test_star_import() -> None:
    namespace: dict[str, object] = {}
    exec("from cpex.framework import *", namespace)
    assert set(NAMES) <= set(namespace)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="module 'cpex.framework' has no attribute 'Nope'"):
        cpex.framework.Nope  # noqa: B018


def test_lazy_names_are_listed() -> None:
    assert {"ExternalPluginServer", "IdentityPayload", "Message", "MessageView"} <= set(dir(cpex.framework))


def test_settings_is_the_module() -> None:
    assert cpex.framework.settings.__name__ == "cpex.framework.settings"


def test_import_stays_light() -> None:
    script = f"import cpex.framework, sys; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
