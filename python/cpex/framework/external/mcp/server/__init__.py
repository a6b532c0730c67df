"""Serving plugins to other processes."""

from cpex.framework.external.mcp.server.server import ExternalPluginServer

__all__ = ["ExternalPluginServer"]
