"""ContextForge, the gateway that CPEX was written for, between a caller and an MCP server."""
