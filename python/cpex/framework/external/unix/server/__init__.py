"""Serving plugins over a Unix socket."""

from cpex.framework.external.unix.server.server import UnixSocketPluginServer

__all__ = ["UnixSocketPluginServer"]
