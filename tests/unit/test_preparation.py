"""What `initialize()` builds, so that the first request need not."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from cpex.framework import PluginConfig, PluginPayload, PluginResult, TenantPluginManager, get_hook_registry
from cpex.framework.models import Config

KIND = "tests.unit.sample_plugins.RemoteLike"

SCRIPT = """
import asyncio
from cpex.framework import PluginConfig, PluginResult, TenantPluginManager, get_hook_registry
from cpex.framework.hooks.http import HttpHeaderPayload
from cpex.framework.models import *
from cpex.framework.models import Config

hook = {hook!r}
plugin = PluginConfig(name="p", kind={kind!r}, hooks=[hook])
manager = TenantPluginManager(Config(plugins=[plugin]), default_hook_policy="allow")
asyncio.run(manager.initialize())
registry = get_hook_registry()
models = [
    registry.get_payload_type(hook), registry.get_result_type(hook), ControlExecutionRecord, GlobalContext,
    PluginContext, PluginErrorModel, PluginResult, PluginViolation, UserContext,
]
print(*(model.__name__ for model in models if not model.__pydantic_complete__))
"""


class _Opaque:
    """Nothing pydantic knows how to validate."""


def hook_of(payload_type: type[Any]) -> PluginConfig:
    get_hook_registry().register_hook("custom", payload_type, PluginResult)
    return PluginConfig(name="p", kind=KIND, hooks=["custom"])


@pytest.mark.parametrize("hook", ["tool_pre_invoke", "prompt_post_fetch", "agent_pre_invoke", "http_auth_resolve_user"])
def test_models_of_the_plan_are_built(hook: str) -> None:
    script = SCRIPT.format(hook=hook, kind=KIND)
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


async def test_nested_models_are_built() -> None:
    class Part(PluginPayload, defer_build=True):
        value: int

    class Whole(PluginPayload, defer_build=True):
        parts: dict[str, list[Part] | None]

    await TenantPluginManager(Config(plugins=[hook_of(Whole)])).initialize()
    assert Whole.__pydantic_complete__
    assert Part.__pydantic_complete__


async def test_a_model_that_can_not_be_built_waits_for_its_first_use() -> None:
    class Unfinished(PluginPayload):
        value: Missing  # type: ignore[name-defined]  # noqa: F821

    class Impossible(PluginPayload, defer_build=True, arbitrary_types_allowed=False):
        value: _Opaque

    for payload_type in (Unfinished, Impossible, dict):
        manager = TenantPluginManager(Config(plugins=[hook_of(payload_type)]))
        await manager.initialize()
        assert manager.plugin_count == 1
