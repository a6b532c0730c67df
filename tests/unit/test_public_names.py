"""What `cpex.framework` exports, and what importing it costs (B4, B35)."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from unittest.mock import Mock

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

LAZY_NAMES = [
    "AttenuationConfig",
    "CmfHookType",
    "ContentPart",
    "ContentType",
    "DelegationPayload",
    "DelegationResult",
    "Extensions",
    "HookPayloadPolicy",
    "IdentityHookType",
    "IdentityPayload",
    "IdentityResolveResult",
    "IdentityResult",
    "Message",
    "MessageHookType",
    "MessagePayload",
    "MessageResult",
    "MessageView",
    "Role",
    "TextContent",
    "TokenDelegateResult",
]

SUBMODULES = [
    "base",
    "cmf",
    "constants",
    "decorator",
    "errors",
    "extensions",
    "hooks.agents",
    "hooks.http",
    "hooks.identity",
    "hooks.message",
    "hooks.policies",
    "hooks.prompts",
    "hooks.registry",
    "hooks.resources",
    "hooks.tools",
    "loader.config",
    "loader.plugin",
    "manager",
    "memory",
    "models",
    "observability",
    "protocols",
    "registry",
    "settings",
    "utils",
    "validators",
]

HEAVY = ("mcp", "grpc", "fastapi", "typer", "httpx", "jinja2", "pydantic_settings", "yaml")


def _run(script: str) -> list[str]:
    """The words a fresh interpreter prints."""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return found.stdout.split()


def test_all_is_upstreams() -> None:
    assert cpex.framework.__all__ == NAMES


@pytest.mark.parametrize("name", [*NAMES, *LAZY_NAMES])
def test_every_name_resolves(name: str) -> None:
    assert hasattr(cpex.framework, name)


def test_names_resolve_in_any_order() -> None:
    script = "import cpex.framework as f; print(*(n for n in reversed({!r}) if getattr(f, n) is not getattr(f, n)))"
    assert not _run(script.format([*NAMES, *LAZY_NAMES]))


def test_star_import() -> None:
    namespace: dict[str, object] = {}
    exec("from cpex.framework import *", namespace)
    assert set(NAMES) <= set(namespace)


def test_submodules_are_attributes() -> None:
    script = "import cpex.framework; {}".format(
        "; ".join(f"print(cpex.framework.{module}.__name__)" for module in SUBMODULES)
    )
    assert _run(script) == [f"cpex.framework.{module}" for module in SUBMODULES]


@pytest.mark.parametrize("package", ["cpex.framework", "cpex.framework.hooks", "cpex.framework.loader"])
def test_unknown_name(package: str) -> None:
    name = "Nope"
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Nope'"):
        getattr(import_module(package), name)


def test_every_name_is_listed() -> None:
    assert {*NAMES, *LAZY_NAMES, "manager", "_plugin_manager"} <= set(dir(cpex.framework))


def test_type_checkers_see_what_is_resolved() -> None:
    tree = ast.parse(Path(cpex.framework.__file__).read_text(encoding="utf-8"))
    imported = {
        (alias.name, node.module)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    resolved = {(name, f"cpex.framework.{module}") for name, module in cpex.framework._HOME_OF.items()}
    assert resolved == imported


def test_replaced_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGINS_ENABLED", "true")
    replacement = Mock()
    monkeypatch.setattr("cpex.framework.PluginManager", replacement)
    assert cpex.framework.get_plugin_manager() is replacement.return_value


def test_settings_is_the_module() -> None:
    assert cpex.framework.settings.__name__ == "cpex.framework.settings"


@pytest.mark.parametrize("hook", ["tool_pre_invoke", "prompt_post_fetch", "agent_pre_invoke", "http_pre_request"])
def test_built_in_hooks_are_registered(hook: str) -> None:
    assert _run(f"import cpex.framework as f; print(f.get_hook_registry().is_registered({hook!r}))") == ["True"]


@pytest.mark.parametrize("statement", ["import cpex.framework", "from cpex.framework import *"])
def test_import_stays_light(statement: str) -> None:
    assert _run(f"{statement}; import sys; print(*(name for name in {HEAVY!r} if name in sys.modules))") == []


def test_import_alone_imports_no_models() -> None:
    assert _run("import cpex.framework, sys; print(*(name for name in ['pydantic'] if name in sys.modules))") == []
