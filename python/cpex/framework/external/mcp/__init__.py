"""External plugins over MCP."""
