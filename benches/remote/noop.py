"""The plugin behind every server: it allows, and does nothing else. Runs with either package."""

from typing import Any

from cpex.framework import Plugin, PluginResult


class Noop(Plugin):
    """Allows every tool call."""

    async def tool_pre_invoke(self, payload: Any, context: Any) -> Any:
        return PluginResult(continue_processing=True)
