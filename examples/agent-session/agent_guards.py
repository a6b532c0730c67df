"""The example's own two plugins: which tools the agent may call, and a trail of what it did."""

import hashlib
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TextIO

from cpex.framework import (
    Plugin,
    PluginConfig,
    PluginContext,
    PluginPayload,
    PluginResult,
    PluginViolation,
    ToolPreInvokePayload,
    hook,
)


class ToolAllowList(Plugin):
    """Lets the agent call the tools that its config names for a server; `*` stands for any text."""

    @hook("tool_pre_invoke")
    async def check(self, payload: ToolPreInvokePayload, context: PluginContext) -> PluginResult[ToolPreInvokePayload]:
        """Blocks a tool that is not on the list."""
        server = context.global_context.server_id or ""
        patterns = (self.config.config or {}).get("allowed", {}).get(server, [])
        if any(fnmatchcase(payload.name, pattern) for pattern in patterns):
            return PluginResult()
        return PluginResult(
            continue_processing=False,
            violation=PluginViolation(
                reason="Tool not allowed",
                description=f"{payload.name} is not on the list for server {server or '(none)'}",
                code="TOOL_NOT_ALLOWED",
            ),
        )


class AuditTrail(Plugin):
    """Appends one JSON line per invocation: who asked for what and when, and a digest instead of the contents."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(config)
        self._path = Path((config.config or {})["path"])
        self._file: TextIO | None = None

    async def initialize(self) -> None:
        """Opens the file; a new run starts a new trail."""
        self._file = self._path.open("w", encoding="utf-8")

    async def shutdown(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    @hook(
        [
            "tool_pre_invoke",
            "tool_post_invoke",
            "prompt_pre_fetch",
            "prompt_post_fetch",
            "resource_pre_fetch",
            "resource_post_fetch",
        ]
    )
    async def note(self, payload: PluginPayload, context: PluginContext) -> PluginResult[Any]:
        """Writes the line; it runs in the background and sees the payload as it was asked for."""
        facts = context.global_context
        line = {
            "request_id": facts.request_id,
            "user": facts.user,
            "server": facts.server_id,
            "payload": type(payload).__name__,
            "sha256": hashlib.sha256(payload.model_dump_json().encode()).hexdigest(),
        }
        if self._file is not None:
            self._file.write(f"{json.dumps(line)}\n")
        return PluginResult()
