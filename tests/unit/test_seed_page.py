"""Every Python block of the project page that concerns in-process plugins, as written there plus imports."""

# The page's examples carry few annotations.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls
# mypy: disable-error-code="union-attr, type-arg, arg-type"

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cpex.framework import (
    GlobalContext,
    Plugin,
    PluginConfig,
    PluginContext,
    PluginManager,
    PluginPayload,
    PluginResult,
    PluginViolation,
    ToolPreInvokePayload,
    ToolPreInvokeResult,
    hook,
)
from cpex.framework.hooks.registry import get_hook_registry

# What's CPEX?


class RateLimitPlugin(Plugin):
    @hook("tool_pre_invoke")
    async def check_rate_limit(self, payload, context):
        if self.is_over_limit(context):
            return PluginResult(
                continue_processing=False,
                violation=PluginViolation(reason="Rate limit exceeded", code="RATE_LIMIT"),
            )
        return PluginResult(continue_processing=True)

    def is_over_limit(self, context: PluginContext) -> bool:
        return context.global_context.user == "busy"


# Hooks


class EmailPayload(PluginPayload):
    recipient: str
    subject: str
    body: str


EmailResult = PluginResult[EmailPayload]

registry = get_hook_registry()
registry.register_hook("email_pre_send", EmailPayload, EmailResult)


async def send_email(recipient: str, subject: str, body: str):
    payload = EmailPayload(recipient=recipient, subject=subject, body=body)
    context = GlobalContext(request_id="req-123")

    result, _ = await manager.invoke_hook("email_pre_send", payload, context)

    if not result.continue_processing:
        raise PolicyError(result.violation.reason)

    # proceed with sending
    await smtp.send(payload.recipient, payload.subject, payload.body)


class PolicyError(Exception):
    """What the page's application raises."""


class Smtp:
    """Stands in for a mail client."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def send(self, recipient: str, subject: str, body: str) -> None:
        self.sent.append(recipient)


manager: Any = None
smtp: Any = None

# Plugins


class EmailFilterPlugin(Plugin):
    @hook("email_pre_send")
    async def block_external_domains(self, payload: EmailPayload, context) -> PluginResult:
        allowed = self.config.config.get("allowed_domains", [])
        domain = payload.recipient.split("@")[-1]

        if allowed and domain not in allowed:
            return PluginResult(
                continue_processing=False,
                violation=PluginViolation(
                    reason="Domain not allowed",
                    code="DOMAIN_BLOCKED",
                    details={"domain": domain},
                ),
            )

        return PluginResult(continue_processing=True)


class ContentFilterPlugin(Plugin):
    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> ToolPreInvokeResult:
        blocked = self.config.config.get("blocked_tools", [])
        if payload.name in blocked:
            return ToolPreInvokeResult(
                continue_processing=False,
                violation=PluginViolation(reason="Tool blocked by policy", code="TOOL_BLOCKED"),
            )
        return ToolPreInvokeResult(continue_processing=True)


EMAIL_YAML = """\
plugin_dirs:
  - ./plugins

plugins:
  - name: email_filter
    kind: my_app.plugins.EmailFilterPlugin
    version: 1.0.0
    hooks:
      - email_pre_send
    mode: sequential
    priority: 10
    config:
      allowed_domains:
        - company.com
        - partner.org
"""

TENANT_YAML = """\
plugins:
  - name: tenant_plugin
    kind: my_app.plugins.TenantPlugin
    hooks:
      - tool_pre_invoke
    mode: sequential
    conditions:
      - tenant_ids: [tenant-1, tenant-2]
        server_ids: [server-prod]
"""

CONTENT_YAML = """\
plugins:
  - name: rate_limit
    kind: my_app.plugins.RateLimitPlugin
    hooks: [tool_pre_invoke]
  - name: content_filter
    kind: my_app.plugins.ContentFilterPlugin
    hooks: [tool_pre_invoke]
    config:
      blocked_tools: [shell]
"""


class TenantPlugin(Plugin):
    async def tool_pre_invoke(self, payload: ToolPreInvokePayload, context: PluginContext) -> ToolPreInvokeResult:
        return ToolPreInvokeResult(metadata={"tenant": context.global_context.tenant_id})


@pytest.fixture(autouse=True)
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An application folder to run in, with the plugins importable under the page's names."""
    plugins = ModuleType("my_app.plugins")
    vars(plugins).update(
        {cls.__name__: cls for cls in (RateLimitPlugin, EmailFilterPlugin, ContentFilterPlugin, TenantPlugin)}
    )
    monkeypatch.setitem(sys.modules, "my_app", ModuleType("my_app"))
    monkeypatch.setitem(sys.modules, "my_app.plugins", plugins)
    (tmp_path / "plugins").mkdir()
    monkeypatch.chdir(tmp_path)
    PluginManager.reset()
    yield
    PluginManager.reset()


def write_config(text: str) -> str:
    Path("plugins/config.yaml").write_text(text, encoding="utf-8")
    return "plugins/config.yaml"


async def invoke_tool(manager: PluginManager, name: str, **facts: Any) -> PluginResult:
    payload = ToolPreInvokePayload(name=name, args={"query": "CPEX framework"})
    result, _ = await manager.invoke_hook("tool_pre_invoke", payload, GlobalContext(request_id="req-123", **facts))
    return result


async def test_calling_a_hook_in_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    manager, smtp = PluginManager(write_config(EMAIL_YAML)), Smtp()
    monkeypatch.setitem(globals(), "manager", manager)
    monkeypatch.setitem(globals(), "smtp", smtp)
    await manager.initialize()

    await send_email("user@company.com", "Hello", "...")
    with pytest.raises(PolicyError, match="Domain not allowed"):
        await send_email("user@external.com", "Hello", "...")

    assert smtp.sent == ["user@company.com"]


async def test_configuration_reaches_the_plugin() -> None:
    manager = PluginManager(write_config(EMAIL_YAML))
    await manager.initialize()

    plugin = manager.get_plugin("email_filter")
    assert isinstance(plugin, EmailFilterPlugin)
    assert plugin.config.version == "1.0.0"
    assert plugin.config.priority == 10
    assert plugin.config.config == {"allowed_domains": ["company.com", "partner.org"]}
    assert manager.config is not None
    assert manager.config.plugin_dirs == ["./plugins"]


async def test_plugin_manager(capsys: pytest.CaptureFixture[str]) -> None:
    write_config(CONTENT_YAML)

    manager = PluginManager("plugins/config.yaml")
    await manager.initialize()

    context = GlobalContext(request_id="req-123", user="alice")
    payload = ToolPreInvokePayload(name="web_search", args={"query": "CPEX framework"})

    result, plugin_contexts = await manager.invoke_hook("tool_pre_invoke", payload, context)

    if result.continue_processing:
        # Proceed — use result.modified_payload if a plugin transformed it
        pass
    else:
        # A plugin blocked execution
        print(f"Blocked: {result.violation.reason}")

    assert capsys.readouterr().out == ""
    assert result.modified_payload is None
    assert plugin_contexts is not None
    assert len(plugin_contexts) == 2


async def test_hook_decorator_and_naming_convention() -> None:
    manager = PluginManager(write_config(CONTENT_YAML))
    await manager.initialize()

    busy = await invoke_tool(manager, "web_search", user="busy")
    assert (busy.violation.code, busy.violation.plugin_name) == ("RATE_LIMIT", "rate_limit")
    shell = await invoke_tool(manager, "shell", user="alice")
    assert (shell.violation.code, shell.violation.reason) == ("TOOL_BLOCKED", "Tool blocked by policy")


@pytest.mark.parametrize(
    ("tenant", "server", "runs"),
    [
        ("tenant-1", "server-prod", True),
        ("tenant-2", "server-prod", True),
        ("tenant-3", "server-prod", False),
        ("tenant-1", "server-dev", False),
        (None, "server-prod", False),
    ],
)
async def test_conditions(tenant: str | None, server: str, runs: bool) -> None:
    manager = PluginManager(write_config(TENANT_YAML))
    await manager.initialize()

    result = await invoke_tool(manager, "web_search", tenant_id=tenant, server_id=server)

    assert result.metadata == ({"tenant": tenant} if runs else {})


@pytest.mark.asyncio
async def test_email_filter_blocks_external_domain():
    config = PluginConfig(
        name="test_filter",
        kind="my_app.plugins.EmailFilterPlugin",
        version="1.0.0",
        hooks=["email_pre_send"],
        config={"allowed_domains": ["company.com"]},
    )
    plugin = EmailFilterPlugin(config)

    payload = EmailPayload(recipient="user@external.com", subject="Hello", body="...")
    context = PluginContext(global_context=GlobalContext(request_id="test-1"))

    result = await plugin.block_external_domains(payload, context)
    assert result.continue_processing is False
    assert result.violation.code == "DOMAIN_BLOCKED"
