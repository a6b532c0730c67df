"""A plugin that does what the tool's name says. The backend of `examples/probe_server.rs` answers the same."""

import asyncio

from cpex.framework import Plugin, PluginError, PluginErrorModel, PluginViolation
from cpex.framework.hooks.tools import ToolPreInvokePayload, ToolPreInvokeResult


class ProbePlugin(Plugin):
    """Allows, modifies, keeps state, denies or fails."""

    async def tool_pre_invoke(self, payload, context):
        """Do what the name says."""
        args = payload.args or {}
        match payload.name:
            case "modify":
                changed = ToolPreInvokePayload(name="modified", args={**args, "added": 1, "f": 2.5, "ünï": "✓"})
                return ToolPreInvokeResult(modified_payload=changed, metadata={"modified": True})
            case "state":
                context.state["k"] = {"v": 1}
                context.metadata["m"] = "md"
                context.global_context.state["g"] = [1, 2]
                return ToolPreInvokeResult(metadata={"seen": True}, http_headers={"X-A": "b"}, retry_delay_ms=7)
            case "deny":
                violation = PluginViolation(
                    reason="no",
                    description="blocked by probe",
                    code="PROBE",
                    details={"n": 1, "l": ["a", None, 1.5]},
                    mcp_error_code=-32001,
                    http_status_code=403,
                    http_headers={"X-P": "1"},
                )
                return ToolPreInvokeResult(continue_processing=False, violation=violation)
            case "raise":
                raise RuntimeError("kaboom")
            case "error":
                error = PluginErrorModel(message="perr msg", plugin_name=self.name, code="PERR", details={"k": 1})
                raise PluginError(error=error)
            case "echo":
                return ToolPreInvokeResult(modified_payload=payload)
            case "sleep":
                await asyncio.sleep(args["seconds"])
                return ToolPreInvokeResult()
        return ToolPreInvokeResult()
