"""External plugins over MCP."""

from cpex.framework._lazy import submodules

__getattr__ = submodules(__name__, ("client", "server", "tls_utils"))
